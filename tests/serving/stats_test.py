from colorization.serving.stats import Stats


def test_prometheus_reads_what_was_counted():
    stats = Stats()
    stats.requests.labels("colorize", "200").inc(2)
    stats.restarts.inc()
    stats.model_version.set(7)
    length = 3
    stats.watch_queue(lambda: length)
    lines = stats.render().decode().splitlines()
    assert 'colorization_requests_total{interface="colorize",status="200"} 2.0' in lines
    assert "colorization_model_process_restarts_total 1.0" in lines
    assert "colorization_model_version 7.0" in lines
    assert "colorization_queue_length 3.0" in lines
    length = 4
    assert "colorization_queue_length 4.0" in stats.render().decode().splitlines()


def test_two_servers_in_a_process_count_apart():
    first, second = Stats(), Stats()
    first.restarts.inc()
    assert "colorization_model_process_restarts_total 0.0" in second.render().decode()
