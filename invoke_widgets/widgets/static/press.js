// A button, with a choice beside it where there are choices. A click sends what the page showed: what the button was
// about, what was chosen, and the values of the fields that it reads. Messages of different widgets may reach a kernel
// late and in any order, so one message carries all of it.

const MODEL = "IPY_MODEL_";

// A button that has the focus keeps it: if it cannot be pressed, it is marked as such but not disabled.
const focused = (element) => element.getRootNode().activeElement === element;

const outermost = (el) => {
  let found = null;
  for (let at = el; at; at = at.parentElement) if (at.classList.contains("iw")) found = at;
  return found;
};

const put = (element, name, value) => {
  if (element[name] !== value) element[name] = value;
};

class Press {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.fields = [];
    this.chosen = null; // [key, name]; kept while the pointer or focus is here, even if no longer offered
    this.button = document.createElement("button");
    this.button.type = "button";
    this.choice = document.createElement("select");
    this.choice.id = `iw-choice-${Math.random().toString(36).slice(2)}`; // unique, as each button may load a module of its own
    this.name = document.createElement("label");
    this.name.className = "widget-label";
    this.name.htmlFor = this.choice.id;
    this.beside = document.createElement("div");
    this.beside.className = "jupyter-widgets widget-inline-hbox widget-dropdown jupyter-widget-dropdown";
    this.beside.append(this.name, this.choice);
    el.classList.add("iw-press");
    el.append(this.beside, this.button);
    this.button.addEventListener("click", () => this.click());
    const draw = () => this.draw();
    this.choice.addEventListener("change", () => {
      this.chosen = this.model.get("choices").find(([key]) => key === this.choice.value) ?? this.chosen;
      this.draw();
    });
    el.addEventListener("pointerleave", draw);
    el.addEventListener("focusout", () => setTimeout(draw)); // when the focus has moved
    const resolve = () => this.resolve();
    const received = (message) => message.t === "focus" && this.focus();
    model.on("change", draw);
    model.on("change:reads", resolve);
    model.on("msg:custom", received);
    this.off = () => {
      model.off("change", draw);
      model.off("change:reads", resolve);
      model.off("msg:custom", received);
    };
    this.resolve();
    this.draw();
  }

  /** Find the fields' models in advance, so that a click need not wait. */
  resolve() {
    if (!this.model.widget_manager) return; // marimo has none, nor fields of ours
    const ids = this.model.get("reads").map((reference) => reference.slice(MODEL.length));
    const found = ids.map(async (id) => [id, await this.model.widget_manager.get_model(id)]);
    Promise.all(found).then((fields) => { this.fields = fields; });
  }

  /** Take the focus from a button, which may be gone by now, but not from a field in which the user may be typing. */
  focus() {
    const active = document.activeElement;
    const given = active?.tagName === "BUTTON" && outermost(this.el)?.contains(active);
    if (given || active === document.body) this.button.focus();
  }

  click() {
    if (this.button.getAttribute("aria-disabled") === "true") return;
    const values = Object.fromEntries(this.fields.map(([id, field]) => [id, field.get("value")]));
    this.model.send({ t: "press", about: this.model.get("about"), choice: this.chosen?.[0] ?? null, values });
  }

  draw() {
    const chooses = this.model.get("chooses");
    put(this.beside.style, "display", chooses ? "" : "none");
    const possible = !chooses || this.drawChoices(chooses);
    const style = this.model.get("button_style");
    put(this.button, "className", `jupyter-widgets jupyter-button widget-button${style && ` mod-${style}`}`);
    put(this.button, "textContent", this.model.get("description"));
    put(this.button, "title", this.model.get("tooltip"));
    const [busy, off] = [this.model.get("busy"), this.model.get("disabled") || !possible];
    this.el.classList.toggle("iw-busy", busy);
    this.button.setAttribute("aria-disabled", busy || off);
    put(this.button, "disabled", off && !busy && !focused(this.button));
  }

  /** Whether what is chosen is still offered. */
  drawChoices(chooses) {
    const choices = [...this.model.get("choices")];
    const offered = () => choices.some(([key]) => key === this.chosen?.[0]);
    if (!offered() && !(this.chosen && this.el.matches(":hover, :focus-within"))) this.chosen = choices[0] ?? null;
    const possible = offered();
    if (this.chosen && !possible) choices.unshift([this.chosen[0], this.chosen[1], "finished"]);
    put(this.name, "textContent", chooses);
    put(this.choice, "disabled", !choices.length);
    // Options are updated in place, as the list may be open.
    const options = this.choice.options;
    while (options.length > choices.length) options.remove(options.length - 1);
    choices.forEach(([key, name, note], i) => {
      if (i === options.length) this.choice.append(document.createElement("option"));
      put(options[i], "value", key);
      put(options[i], "textContent", `${name} (${note})`);
    });
    put(this.choice, "value", this.chosen?.[0] ?? "");
    return possible;
  }
}

export default {
  render({ model, el }) {
    const press = new Press(model, el);
    return () => press.off();
  },
};
