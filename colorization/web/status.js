// The one line that says what is going on, with the button that goes with it; and the question for a token.

import { announce, byId, setText } from "./dom.js";

export class Status {
  constructor(album, darkroom) {
    this.album = album;
    this.darkroom = darkroom;
    this.action = null;
    this.spoken = "";
    byId("status-action").addEventListener("click", () => this.action?.());
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      byId("token-dialog").close();
      darkroom.enterToken(byId("token").value);
      byId("token").value = "";
    });
  }

  render() {
    const { text, spoken, label, action } = this.#describe();
    setText(byId("status"), text);
    byId("status").classList.toggle("long", text.length > 32); // on a phone it then gets a line of its own
    byId("status-action").hidden = !label;
    if (label) setText(byId("status-action"), label);
    this.action = action ?? null;
    if ((spoken ?? text) !== this.spoken) announce((this.spoken = spoken ?? text), "status-announcer");
    this.#renderToken();
  }

  #describe() {
    const { album, darkroom } = this;
    if (darkroom.asksForToken) {
      return { text: darkroom.asksForToken, label: "Enter the token", action: () => this.#ask() };
    }
    if (darkroom.pause) return this.#describePause(darkroom.pause);
    if (album.removed) {
      const text = `${album.removed.photo.name} was removed.`;
      return { text, label: "Put it back", action: () => album.putBack() };
    }
    const photo = album.active;
    if (!photo) return { text: "" };
    if (photo.obstacle) {
      // The notice on the stage is an alert and speaks for itself; it has the buttons, too.
      return { text: photo.obstacle.message, spoken: "" };
    }
    if (darkroom.preparation) return { text: darkroom.preparation, spoken: "The model is being loaded." };
    const ready = album.photos.filter((each) => each.full).length;
    const count = album.photos.length > 1 ? ` ${ready} of ${album.photos.length} photos done.` : "";
    if (!photo.open) return { text: `Opening ${photo.name}…` };
    if (!photo.result) return { text: `Colouring ${photo.name}…` };
    if (!photo.full) return { text: `Preparing full size…${count}`, spoken: "" };
    const size = photo.width && !count ? ` at ${photo.width} × ${photo.height}` : "";
    return { text: `Ready${size}.${count}`, spoken: `${photo.name} is ready.${count}` };
  }

  #describePause({ message, until }) {
    const retry = { label: "Try now", action: () => this.darkroom.retry() };
    if (until === Infinity) return { text: `${message} Nothing is lost; try again when it is back.`, ...retry };
    const seconds = Math.max(1, Math.ceil((until - performance.now()) / 1000));
    // The countdown is for the eye only: a screen reader would talk all the time.
    const spoken = `${message} Trying again soon. Nothing is lost.`;
    return { text: `${message} Trying again in ${seconds} s.`, spoken, ...retry };
  }

  #renderToken() {
    const message = this.darkroom.asksForToken;
    if (!message || message === this.asked) {
      this.asked = message;
      return;
    }
    this.asked = message;
    this.#ask();
  }

  #ask() {
    setText(byId("token-label"), this.darkroom.asksForToken);
    if (!byId("token-dialog").open) byId("token-dialog").showModal();
  }
}
