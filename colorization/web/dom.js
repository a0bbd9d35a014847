// The little that the views share.

export const byId = (id) => document.getElementById(id);

/** Sets an attribute or property only if it differs, so that the browser and screen readers have nothing to redo. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setSource(image, url) {
  if (image.getAttribute("src") !== url) image.src = url;
}

export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** Makes the children of `parent` stand for `items`, keeping the nodes (and the focus) of those already there. */
export function syncChildren(parent, items, keyOf, create, update) {
  const keys = items.map((item) => String(keyOf(item)));
  const nodes = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  for (const [key, node] of nodes) if (!keys.includes(key)) node.remove();
  items.forEach((item, index) => {
    let node = nodes.get(keys[index]);
    if (!node) {
      node = create(item);
      node.dataset.key = keys[index];
    }
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
    update(node, item, index);
  });
}

const speaking = {};

/** Has a screen reader say something once things have come to rest; the latest text of each speaker wins. */
export function announce(text, speaker = "announcer") {
  clearTimeout(speaking[speaker]);
  speaking[speaker] = setTimeout(() => setText(byId(speaker), text), 250);
}
