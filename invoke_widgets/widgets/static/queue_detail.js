// The opened row: the item in full, as elements. Every text goes in as textContent.

function make(tag, className, text, attributes) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  return element;
}

/** The element with the focus in the same document or shadow root: some front ends show widgets in shadow roots. */
const focusNear = (element) => element.getRootNode().activeElement ?? null;
const hasFocus = (element) => focusNear(element) === element;

function pairs(list, className) {
  const table = make("dl", `iwq-pairs ${className ?? ""}`);
  for (const [name, value] of list) table.append(make("dt", "", name), make("dd", "", value));
  return table;
}

function section(title, ...content) {
  const part = make("section", "iwq-part");
  part.append(make("h4", "", title), ...content);
  return part;
}

function copyButton(label, text) {
  const button = make("button", "iwq-small", label);
  button.type = "button";
  button.addEventListener("click", async () => {
    let ok = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages not loaded over https have no clipboard.
      const area = make("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      ok = document.execCommand("copy");
      area.remove();
    }
    button.textContent = ok ? "copied" : "could not copy";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

function folded(title, ...content) {
  const part = make("details", "iwq-folded");
  part.append(make("summary", "", title), ...content);
  return part;
}

function block(text, label) {
  const pre = make("pre", "iwq-pre", text, { role: "region", "aria-label": label });
  pre.tabIndex = 0;
  return pre;
}

const isImageUrl = (url) => typeof url === "string" && /^(data:image\/|blob:)/.test(url);

function thumbnail(url, name) {
  const figure = make("figure", "iwq-figure");
  figure.dataset.name = name;
  if (isImageUrl(url)) {
    const image = make("img");
    image.alt = name;
    image.src = url;
    figure.append(image);
  } else {
    figure.append(make("span", "iwq-wait", url === undefined ? "…" : "no image"));
  }
  const caption = make("figcaption", "", name);
  caption.title = name;
  figure.append(caption);
  return figure;
}

/** The content of an opened row; `known` is { detail, failed, images, urls, preview }. */
function detailContent(row, known) {
  const box = document.createDocumentFragment();
  if (known?.failed) {
    box.append(make("p", "iwq-bad", known.failed));
    return box;
  }
  const detail = known?.detail;
  if (!detail) {
    box.append(make("p", "iwq-wait", "Reading the item…"));
    return box;
  }
  if (detail.error) {
    const { error } = detail;
    const head = make("p", "iwq-error");
    head.append(make("strong", "iwq-bad", error.type));
    head.append(document.createTextNode(` ${[error.server_type, error.message].filter(Boolean).join(": ")}`));
    const parts = [head];
    if (error.node) parts.push(make("p", "iwq-dim", `at node ${error.node}`));
    if (error.suggestion) parts.push(make("p", "", error.suggestion));
    if (error.traceback) {
      parts.push(folded("traceback", copyButton("copy", error.traceback), block(error.traceback, "traceback")));
    }
    box.append(section("Error", ...parts));
  }
  if (row.status === "in_progress" && isImageUrl(known.preview)) {
    const image = make("img", "iwq-preview");
    image.alt = `preview of item ${detail.item_id}`;
    image.src = known.preview;
    box.append(section("Preview", image));
  }
  if (detail.fields.length) box.append(section("Fields", pairs(detail.fields, "iwq-mono")));
  if (known.images?.length) {
    const gallery = make("div", "iwq-gallery");
    for (const name of known.images) gallery.append(thumbnail(known.urls.get(name), name));
    box.append(section("Images", gallery));
  }
  if (detail.outputs.length) {
    const list = detail.outputs.map(([node, kind, text]) => [kind ? `${node} · ${kind}` : node, text]);
    box.append(section("Outputs", pairs(list, "iwq-mono")));
  }
  const times = detail.times.map(([name, time]) => [name, new Date(time).toLocaleString()]);
  box.append(section("Item", pairs([...times, ...detail.facts])));
  if (detail.graph) {
    const title = `graph, ${detail.nodes} ${detail.nodes === 1 ? "node" : "nodes"}`;
    box.append(section("Graph", copyButton("copy as JSON", detail.graph),
      folded(title, block(detail.graph, "graph as JSON"))));
  }
  return box;
}

/** The element below the opened row. */
class Detail {
  constructor() {
    this.element = make("div", "iwq-detail", null, { role: "row" });
    this.cell = make("div", "iwq-detailcell", null, { role: "gridcell" });
    this.element.append(this.cell);
  }

  /** Show a row's detail; what the user unfolded, scrolled or focused in it stays so. */
  fill(row, known) {
    const { cell } = this;
    const parts = (selector) => [...cell.querySelectorAll(selector)];
    const unfolded = parts("details").map((part) => part.open);
    const scrolled = [cell, ...parts(".iwq-pre")].map((part) => [part.scrollTop, part.scrollLeft]);
    const focused = parts("button, summary, [tabindex]").indexOf(focusNear(cell));
    cell.replaceChildren(detailContent(row, known));
    parts("details").forEach((part, i) => { part.open = unfolded[i] ?? false; });
    [cell, ...parts(".iwq-pre")].forEach((part, i) => { if (scrolled[i]) [part.scrollTop, part.scrollLeft] = scrolled[i]; });
    if (focused >= 0) parts("button, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
  }

  /** Show a preview or a thumbnail that has arrived, in its place. */
  showImage(row, known, { preview, image }) {
    if (preview !== undefined) {
      const shown = this.cell.querySelector(".iwq-preview");
      if (shown && isImageUrl(preview)) shown.src = preview;
      else this.fill(row, known);
    } else {
      const shown = [...this.cell.querySelectorAll(".iwq-figure")].find((figure) => figure.dataset.name === image);
      shown?.replaceWith(thumbnail(known.urls.get(image), image));
    }
  }
}
