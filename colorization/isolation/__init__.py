"""Work on strangers' files in processes of their own, limited in time and memory: decoders may hang, crash or bloat."""
