// Above the rows: filters, which columns, and what can be done with the selected rows.

const MOST_OPTIONS = 100;

function selectBox(label) {
  const box = make("select", "iwq-select");
  box.setAttribute("aria-label", label);
  return box;
}

/** Make the options of a select box what `list` says, as [value, text], keeping what is chosen. */
function setOptions(box, list, chosen) {
  const key = JSON.stringify([list, chosen]);
  if (box._key === key || document.activeElement === box) return; // never while it may be open
  box._key = key;
  if (chosen && !list.some(([value]) => value === chosen)) list = [...list, [chosen, shortId(chosen)]];
  box.replaceChildren(...list.map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  }));
  box.value = chosen ?? "";
}

class Toolbar {
  /** `on` has filter(changes), columns(names), act(kind). */
  constructor(on) {
    this.element = make("div", "iwq-toolbar");
    this.status = selectBox("status");
    this.batch = selectBox("batch");
    this.destination = selectBox("destination");
    this.search = make("input", "iwq-search");
    this.search.type = "search";
    this.search.placeholder = "search";
    this.search.setAttribute("aria-label", "search the rows");
    this.count = make("span", "iwq-count");
    this.cancel = make("button", "iwq-small");
    this.retry = make("button", "iwq-small");
    this.cancel.type = this.retry.type = "button";
    this.menu = make("details", "iwq-menu");
    this.menu.append(make("summary", "", "columns"));
    this.choices = make("div", "iwq-choices");
    this.menu.append(this.choices);
    this.element.append(this.status, this.batch, this.destination, this.search, this.count, this.cancel, this.retry,
      this.menu);
    for (const name of ["status", "batch", "destination"]) {
      this[name].addEventListener("change", () => on.filter({ [name]: this[name].value }));
    }
    let wait = null;
    this.search.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(() => on.filter({ text: this.search.value }), 120);
    });
    this.cancel.addEventListener("click", () => on.act("cancel"));
    this.retry.addEventListener("click", () => on.act("retry"));
    this.menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.menu.open = false;
      this.menu.firstChild.focus();
    });
    this.menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.menu.contains(event.relatedTarget)) this.menu.open = false;
    });
    for (const name of Object.keys(CELLS)) {
      const label = make("label", "");
      const box = make("input");
      box.type = "checkbox";
      box.value = name;
      box.addEventListener("change", () => {
        const names = [...this.choices.querySelectorAll("input:checked")].map((input) => input.value);
        if (names.length) on.columns(names);
        else box.checked = true;
      });
      label.append(box, document.createTextNode(` ${name}`));
      this.choices.append(label);
    }
  }

  /** Show the filters, how many rows there are, and how many of the selected can be canceled or retried. */
  draw({ rows, filters, columns, shown, cancelable, retriable }) {
    const counted = (map) => [...map].slice(-MOST_OPTIONS).reverse().map(([id, n]) => [id, `${shortId(id)} (${n})`]);
    const status = [["", "status: all"], ["unfinished", "unfinished"], ...STATUSES.map((s) => [s, s])];
    setOptions(this.status, status, filters.status ?? "");
    setOptions(this.batch, [["", "batch: all"], ...counted(rows.batches)], filters.batch ?? "");
    setOptions(this.destination, [["", "destination: all"], ...counted(rows.destinations)], filters.destination ?? "");
    this.destination.hidden = !rows.destinations.size && !filters.destination;
    if (document.activeElement !== this.search) this.search.value = filters.text ?? "";
    for (const box of this.choices.querySelectorAll("input")) box.checked = columns.includes(box.value);
    const total = Math.max(rows.ordered.length + rows.facts.unread, rows.expected);
    const number = (n) => n.toLocaleString("en-US");
    setText(this.count, shown === total ? `${number(total)} ${total === 1 ? "item" : "items"}`
      : `${number(shown)} of ${number(total)}`);
    for (const [button, text, n] of [[this.cancel, "✕ cancel", cancelable], [this.retry, "↻ retry", retriable]]) {
      button.hidden = !n;
      setText(button, `${text} ${number(n)} selected`);
    }
  }
}
