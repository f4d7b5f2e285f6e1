// What each column shows of a row, and the cell with the row's button.

const WIDTHS = {
  item: "64px", status: "122px", progress: "minmax(150px, 190px)", created: "92px", took: "68px", batch: "92px",
  destination: "110px", device: "84px", fields: "minmax(150px, 2fr)", error: "minmax(140px, 1.5fr)",
};
const NUMERIC = new Set(["item", "took"]);

const setText = (element, text) => {
  if (element._text === text) return;
  element._text = text;
  const node = element.firstChild;
  if (node && node === element.lastChild && node.nodeType === Node.TEXT_NODE) node.data = text;
  else element.textContent = text;
};
const setTitle = (element, text) => {
  if (element._title !== text) {
    element._title = text;
    if (text) element.title = text;
    else element.removeAttribute("title");
  }
};

function plainCell(cell, text, title) {
  setText(cell, text);
  setTitle(cell, title ?? "");
}

const CELLS = {
  item: (cell, row) => plainCell(cell, String(row.id)),
  status: (cell, row) => {
    const status = row.gone ? "gone" : row.status;
    if (cell._status === status) return;
    cell._status = status;
    const glyph = make("span", "iwq-glyph", GLYPHS[status] ?? "·", { "aria-hidden": "true" });
    cell.replaceChildren(glyph, make("span", "", ` ${status}`));
    cell.dataset.status = status in GLYPHS ? status : "other";
  },
  progress: (cell, row, rows, now) => {
    if (row.status === "in_progress") {
      const { part, message } = row.progress ?? {};
      const left = rows.left(row, now);
      const known = part !== null && part !== undefined;
      if (!cell._bar) {
        const bar = make("span", "iwq-bar", null, { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" });
        bar.append(make("i"));
        cell._bar = bar;
        cell._note = make("span", "iwq-note");
        cell._text = null;
        cell.replaceChildren(bar, cell._note);
      }
      const bar = cell._bar;
      bar.classList.toggle("iwq-unknown", !known);
      bar.setAttribute("aria-label", `progress of item ${row.id}`);
      if (known) bar.setAttribute("aria-valuenow", String(Math.round(part * 100)));
      else bar.removeAttribute("aria-valuenow");
      bar.firstChild.style.width = known ? percent(part).replace(" ", "") : "";
      setText(cell._note, [known ? percent(part) : "", message ?? ""].filter(Boolean).join(" "));
      const about = left === null ? "" : `about ${clock(left)} left`;
      setTitle(cell, [message, row.progress?.node && `node ${row.progress.node}`, about].filter(Boolean).join(" · "));
      return;
    }
    if (cell._bar) {
      cell._bar = null;
      cell.replaceChildren();
      cell._text = "";
    }
    if (row.status === "pending") {
      const place = rows.position(row);
      const left = rows.left(row, now);
      const about = left === null || left < 1 ? "" : ` · in about ${clock(left)}`;
      const paused = rows.facts.paused ? " · paused" : "";
      plainCell(cell, place === null ? "" : ordinal(place) + (paused || about), "position in the queue");
    } else if (row.retry !== null && !row.gone) {
      const left = row.retry - now;
      plainCell(cell, left < 1 ? "retrying now" : `retry in ${clock(left)}`,
        `its retry policy runs it again: ${exact(row.retry)}`);
    } else {
      plainCell(cell, "");
    }
  },
  created: (cell, row, rows, now) =>
    plainCell(cell, row.created === null ? "—" : ago(now - row.created), exact(row.created)),
  took: (cell, row, rows, now) => {
    const took = row.took(now);
    const left = row.status === "in_progress" ? rows.left(row, now) : null;
    const title = row.started === null ? "" : `started ${exact(row.started)}` +
      (row.completed === null ? "" : `, ended ${exact(row.completed)}`) +
      (left === null ? "" : `, about ${clock(left)} left`);
    plainCell(cell, row.status === "in_progress" && took !== null ? clock(took) : duration(took), title);
  },
  batch: (cell, row) => plainCell(cell, shortId(row.batch), row.batch),
  destination: (cell, row) => plainCell(cell, row.destination ?? "", row.destination),
  device: (cell, row) => plainCell(cell, row.device ?? "", row.device),
  fields: (cell, row) => plainCell(cell, row.fields ?? "", row.fields),
  error: (cell, row) => plainCell(cell, row.error ?? "", row.error),
};

/** ✕ or ↻, if there is something to cancel or to retry. */
function actionCell(cell, row, busy) {
  const act = row.cancelable ? "cancel" : row.retriable ? "retry" : "";
  if (cell._act !== act) {
    cell._act = act;
    cell.replaceChildren();
    cell._button = null;
    if (act) {
      const button = make("button", `iwq-act iwq-${act}`, act === "cancel" ? "✕" : "↻");
      button.type = "button";
      button.tabIndex = -1;
      button.dataset.act = act;
      cell._button = button;
      cell.append(button);
    }
  }
  const button = cell._button;
  if (!button) return;
  const label = busy ? `item ${row.id} is being worked on` : `${act} item ${row.id}`;
  if (button._label !== label) {
    button._label = label;
    button.setAttribute("aria-label", label);
    button.title = label;
    // Not `disabled`, which would blur it.
    button.setAttribute("aria-disabled", String(busy));
    button.classList.toggle("iwq-busy", busy);
  }
}
