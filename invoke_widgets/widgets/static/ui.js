// What all parts share: how a part is mounted, how it talks to its model, and the elements of the design system.
// The text of this file stands before that of a part, in one module; `htmPreact` is the library in vendor/.

const { h, html, render, Component, createContext, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } = htmPreact;

const MODEL = "IPY_MODEL_";
const Scope = createContext({ model: null, page: "", ended: false, root: null });
/** Above this number of jobs an action asks first, whatever its scope. */
const ASK_ABOVE = 10;

/** A name that no other page of this widget has: replies are addressed to it. */
const newPage = () => (crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`);

/** An anywidget that shows a component in a shell; `foot`: whether the component shows itself what was done. */
const part = (Content, { foot = false } = {}) => ({
  render({ model, el }) {
    el.classList.add("iw");
    const page = newPage();
    const suppress = (event) => event.target.setAttribute?.("data-lm-suppress-shortcuts", "true");
    const keep = (event) => { if (event.key === "Enter") event.stopPropagation(); };
    el.addEventListener("focusin", suppress); // JupyterLab looks for it from the focused element outwards,
    el.addEventListener("keydown", keep); // and takes a new line from a text all the same
    render(html`<${Root} model=${model} page=${page} el=${el} foot=${foot}><${Content} model=${model} /><//>`, el);
    return () => render(null, el);
  },
});

function Root({ model, page, el, foot, children }) {
  const [ended, setEnded] = useState(false);
  useLayoutEffect(() => {
    // ipywidgets marks a view that is made after the kernel has ended; an anywidget's is not marked when it ends.
    const end = () => setEnded(true);
    if (el.classList.contains("jupyter-widgets-disconnected")) end();
    return listen(model, ["comm_live_update"], end);
  }, []);
  const [failures, saved] = useTraits(model, "failures", "saved");
  const [inner, setInner] = useState(isInside(el));
  useEffect(() => { setInner(isInside(el)); }); // it is attached after it was drawn
  return html`<${Scope.Provider} value=${{ model, page, ended, root: el }}>
    <div class=${ended ? "iw-ended" : ""}>
      ${saved && html`<style>${`.${saved}, .jp-OutputArea-child:has(.${saved}) { display: none; }`}</style>`}
      <div class="iw-shell">
        ${ended && !inner && html`<${Banner} title="Kernel ended" text="Run the cells again. This is how it was." />`}
        ${children}
        ${failures?.length > 0 && html`<div class="iw-failures">${failures.map((one) => html`<${Banner} key=${one.what} kind="error" role="alert" title=${one.at} text=${html`${one.what} <span class="iw-dim">${one.remedy}</span>`}
          actions=${html`<${Button} onClick=${() => act(model, page, "forgive", { what: one.what })}>Dismiss<//>`} />`)}</div>`}
        ${!foot && html`<${SaidLine} />`}
      </div>
    </div>
  <//>`;
}

/** What was done last, and a button that undoes it where that is possible. */
function Said() {
  const { model, root } = useContext(Scope);
  const [said] = useTraits(model, "said");
  const [run, busy] = useAct();
  return html`<span class="iw-said" role="status">${said.text ? html`${said.text} <span class="iw-dim">· ${timeOfDay(said.at)}</span>` : ""}
    ${said.undo && html` <${Button} kind="link" busy=${busy("undo")} onClick=${() => run("undo", { item_ids: said.undo })}>Undo<//>`}
    ${said.batch && html` <${Button} kind="link" onClick=${() => askAround(root, "iw-filter", { batch: said.batch })}>Show<//>`}</span>`;
}

function SaidLine() {
  const { model, root } = useContext(Scope);
  const [said] = useTraits(model, "said");
  // Asked only now: a part may be drawn before it is put into the one around it, which says it too.
  return said.text && !isInside(root) ? html`<div class="iw-foot"><${Said} /></div>` : null;
}

/** Call `listener` for these events of a model; returns a function that ends it. */
function listen(model, names, listener) {
  for (const name of names) model.on(name, listener);
  return () => { for (const name of names) model.off(name, listener); };
}

/** The values of traits, drawn anew when one changes. */
function useTraits(model, ...names) {
  const [, redraw] = useState(0);
  // At once: a plain effect runs after the next frame, and would miss what changes before.
  useLayoutEffect(() => listen(model, names.map((name) => `change:${name}`), () => redraw((n) => n + 1)), [model]);
  return names.map((name) => model.get(name));
}

/** Set a trait from the page. */
function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/** Call `receive(message, buffers)` for messages to all pages, and for those to this one. */
function useMessages(model, receive) {
  const { page } = useContext(Scope);
  const latest = useRef(receive);
  latest.current = receive;
  const got = (message, buffers) => { if (!message.to || message.to === page) latest.current(message, buffers); };
  useLayoutEffect(() => listen(model, ["msg:custom"], got), [model]); // as in `useTraits`
}

/**
 * Ask Python to do something. Messages may arrive late, behind a cell that runs, so `args` has all that the action
 * depends on, as the page showed it.
 */
const act = (model, page, name, args = {}) => model.send({ t: "act", name, args, page });

/** `act` of the part that is drawn, and whether an action with this key is under way. */
function useAct() {
  const { model, page } = useContext(Scope);
  const [busy] = useTraits(model, "busy");
  return [(name, args) => act(model, page, name, args), (key) => (busy ?? []).includes(key)];
}

/** Whether a part is shown within another one, by then attached. */
const isInside = (root) => Boolean(root.parentElement?.closest(".iw"));

/** Ask the dashboard around a part for something: "iw-filter", "iw-show" (an item), "iw-tab". */
const askAround = (root, name, detail) => root.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));

/** A time that ticks once a second, for what counts up or down. */
function useClock() {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => document.hidden || set(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

// -- elements ---------------------------------------------------------------------------------------------------------

/**
 * `kind`: "quiet", "outline" or "solid"; `danger`; a busy or disabled one keeps the focus. The second click of a double click
 * does nothing, since this one may just have taken the place of the button that the first was for; except if it `repeats`.
 */
function Button({ kind = "outline", danger, busy, disabled, repeats, class: more = "", onClick, children, ...rest }) {
  const { ended } = useContext(Scope);
  const off = busy || disabled || ended;
  return html`<button type="button" class=${`iw-${kind} ${danger ? "iw-danger" : ""} ${busy ? "iw-busy" : ""} ${more}`}
    aria-disabled=${off ? "true" : null} onClick=${(event) => { if (!off && (repeats || event.detail < 2)) onClick?.(event); }} ...${rest}>${children}</button>`;
}

const STATUS = {
  in_progress: ["run", "●", "Running"],
  pending: ["wait", "○", "Waiting"],
  next: ["wait", "○", "Next"],
  waiting: ["wait", "◌", "In a call"],
  retrying: ["wait", "↻", "Retry due"],
  completed: ["ok", "✓", "Completed"],
  failed: ["bad", "✕", "Failed"],
  canceled: ["off", "⊘", "Canceled"],
  gone: ["off", "–", "Gone"],
};
/** [color, sign, word] of a status. */
const statusLook = (status) => STATUS[status] ?? ["off", "·", status];

const ERROR_CLASS = {
  submission_failed: ["bad", "⇥", "Not submitted"],
  validation_error: ["off", "◆", "Invalid input"],
  execution_failed: ["bad", "✕", "Failed while running"],
  timeout_error: ["wait", "◷", "Timed out"],
  network_error: ["wait", "⇄", "Network"],
  resource_error: ["bad", "▲", "Resources"],
  cancellation_failed: ["off", "⊘", "Not canceled"],
  unknown_error: ["off", "?", "Unknown"],
};
/** [color, sign, words] of a class of errors. */
const errorLook = (name) => ERROR_CLASS[name] ?? ["off", "?", name];

function Pill({ look, title }) {
  const [kind, sign, word] = look;
  return html`<span class=${`iw-pill iw-${kind}`} title=${title}><span aria-hidden="true">${sign}</span>${word}</span>`;
}

function Banner({ kind = "", title, text, actions, role = "status" }) {
  return html`<div class=${`iw-banner ${kind ? `iw-${kind}` : ""}`} role=${role}><span><b>${title}</b> ${text}</span>${actions}</div>`;
}

/** A question in place of what was pressed. The focus is on the harmless answer; Escape gives it. */
function Ask({ text, yes, no = "Keep", danger = true, onYes, onNo }) {
  const harmless = useRef(null);
  useLayoutEffect(() => { harmless.current?.querySelector("button")?.focus(); }, []); // before the next key
  return html`<div class="iw-ask" role="alertdialog" aria-label=${text} onKeyDown=${(event) => { if (event.key === "Escape") { event.preventDefault(); onNo(); } }}>
    <span>${text}</span>
    <${Button} kind="solid" danger=${danger} onClick=${onYes}>${yes}<//>
    <span ref=${harmless} style="flex:none"><${Button} onClick=${onNo}>${no}<//></span>
  </div>`;
}

/**
 * A question, where one is asked, and `ask(n, { text, yes, no, danger, work, done })`, which asks above ten jobs and
 * otherwise does the work at once; `ask(0)` takes the question back.
 */
function useAsk() {
  const [asked, set] = useState(null);
  const ask = (n, question) => {
    if (n <= ASK_ABOVE) question?.work();
    set(n > ASK_ABOVE ? question : null);
  };
  const answered = (work) => () => { set(null); work?.(); asked.done?.(); };
  return [asked && html`<${Ask} ...${asked} onYes=${answered(asked.work)} onNo=${answered()} />`, ask];
}

function Empty({ text, children }) {
  return html`<div class="iw-none"><p>${text}</p>${children}</div>`;
}

/** `share`: 0 to 1; null where that is not known. */
function Progress({ share, label }) {
  const known = share > 0;
  const whole = known ? Math.round(Math.min(share, 1) * 100) : null;
  return html`<span class=${`iw-meter ${known ? "" : "iw-unknown"}`} role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${whole}><i style=${known ? `width:${whole}%` : ""}></i></span>`;
}

/** A button that opens a sheet. It closes on Escape, on a click on one of its buttons or elsewhere, and when the focus leaves. */
function Menu({ label, name, right, kind = "quiet", role = "group", children }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  const entries = () => [...box.current.querySelectorAll(".iw-sheet button:not([aria-disabled]), .iw-sheet input")];
  useLayoutEffect(() => { // before the next key
    if (!open) return undefined;
    const outside = (event) => { if (!event.composedPath().includes(box.current)) setOpen(false); };
    document.addEventListener("pointerdown", outside, true);
    // Beyond the end of the view it would be cut off, and the view scrolled to what has the focus there.
    const sheet = box.current.querySelector(".iw-sheet");
    let shell = sheet;
    for (let above = sheet; above; above = above.parentElement?.closest(".iw-shell")) shell = above;
    sheet.style.maxHeight = `${Math.min(400, Math.max(140, shell.getBoundingClientRect().bottom - sheet.getBoundingClientRect().top - 8))}px`;
    entries()[0]?.focus();
    return () => document.removeEventListener("pointerdown", outside, true);
  }, [open]);
  const close = () => { setOpen(false); box.current?.firstElementChild?.focus(); };
  const key = (event) => {
    if (!open) return;
    if (event.key === "Escape") { event.stopPropagation(); event.preventDefault(); close(); return; } // of a dialog, not it too
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = entries();
    all[(all.indexOf(event.target) + step + all.length) % all.length]?.focus();
    event.preventDefault();
  };
  return html`<div class="iw-menu" ref=${box} onKeyDown=${key}
    onFocusOut=${(event) => { if (event.relatedTarget && !box.current.contains(event.relatedTarget)) setOpen(false); }}>
    <${Button} kind=${kind} aria-haspopup="true" aria-expanded=${open} aria-label=${name} title=${name} onClick=${() => setOpen(!open)}>${label}<//>
    ${open && html`<div class=${`iw-sheet ${right ? "iw-right" : ""}`} role=${role} aria-label=${name}
      onClickCapture=${(event) => { if (event.target.closest("button:not([aria-disabled])")) close(); }}>${children}</div>`}
  </div>`;
}

/** A menu of which one entry is chosen: `options` are [value, text] pairs. */
function Choice({ name, label, value, options, onChange }) {
  return html`<${Menu} role="radiogroup" name=${name} label=${label}>${options.map(([key, text]) => html`<button type="button" role="radio"
    aria-checked=${key === value} key=${key} onClick=${() => onChange(key)}>${text}</button>`)}<//>`;
}

/** A filter, of which the option "" is none. */
function Chip({ name, value, options, onChange }) {
  const chosen = options.find(([key]) => key === value)?.[1] ?? value;
  return html`<span class=${`iw-chip ${value ? "iw-on" : ""}`}>
    <${Choice} name=${`Filter by ${name.toLowerCase()}`} label=${value ? `${name}: ${chosen}` : `${name} ▾`} value=${value} options=${options} onChange=${onChange} />
    ${value && html`<button type="button" aria-label=${`Remove the filter by ${name.toLowerCase()}`} onClick=${() => onChange("")}>✕</button>`}
  </span>`;
}

/** A search field that reports 120 ms after the last key. */
function Search({ value, label, onChange }) {
  const [text, setText] = useState(value);
  const wait = useRef(0);
  const input = useRef(null);
  const sent = useRef(new Set());
  useEffect(() => {
    // What was typed comes back, perhaps after more was typed: then it is old.
    const isOld = sent.current.has(value) && input.current.getRootNode().activeElement === input.current;
    if (!isOld) setText(value);
  }, [value]);
  return html`<input class="iw-search" type="search" ref=${input} placeholder=${label} aria-label=${label} value=${text} onInput=${(event) => {
    const typed = event.target.value;
    setText(typed);
    clearTimeout(wait.current);
    wait.current = setTimeout(() => { sent.current.add(typed); onChange(typed); }, 120);
  }} />`;
}

/** The filters of a view, and its search field and chips, to be put into its toolbar. */
function useFilters(model) {
  const [filters] = useTraits(model, "filters");
  const change = (name) => (value) => put(model, "filters", Object.fromEntries(Object.entries({ ...filters, [name]: value }).filter(([, one]) => one)));
  const search = (label) => html`<${Search} value=${filters.text ?? ""} label=${label} onChange=${change("text")} />`;
  const chip = (title, name, options) => html`<${Chip} name=${title} value=${filters[name] ?? ""} options=${options} onChange=${change(name)} />`;
  return { filters, search, chip };
}

/** A test for filters: `text` is searched in what `words(row)` returns; others are as `tests` has them, or a value of the row. */
function passing(filters, words, tests = {}) {
  const all = Object.entries(filters).filter(([name, value]) => value && name !== "text")
    .map(([name, value]) => tests[name]?.(value) ?? ((row) => row[name] === value));
  const searched = String(filters.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return (row) => all.every((test) => test(row)) && (!searched.length || searched.every((word) => words(row).toLowerCase().includes(word)));
}

/** Another widget inside this one; `reference` is what its trait holds. */
function Child({ model, reference }) {
  const slot = useRef(null);
  useEffect(() => {
    const made = (async () => model.widget_manager.create_view(await model.widget_manager.get_model(reference.slice(MODEL.length))))();
    let gone = false;
    made.then((view) => gone || slot.current.append(view.el));
    return () => { gone = true; made.then((view) => view.remove()); };
  }, [reference]);
  return html`<div ref=${slot}></div>`;
}

// -- words ------------------------------------------------------------------------------------------------------------

/** 0.0052 -> "5 ms", 3.21 -> "3.2 s", 31 -> "0:31", 3723 -> "1:02:03"; as `text.duration` in Python. */
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${Math.round(Math.max(seconds, 0) * 1000)} ms`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : clock(seconds);
}

function clock(seconds) {
  const whole = Math.max(Math.floor(seconds), 0);
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes, left] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(left)}` : `${minutes}:${two(left)}`;
}

const percent = (share) => `${Math.round(Math.min(1, Math.max(0, share)) * 100)} %`;
const count = (n) => n.toLocaleString("en-US");
const many = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : thing.endsWith("tch") ? "es" : "s"}`;
const timeOfDay = (seconds) => (seconds === null || seconds === undefined ? "–" : new Date(seconds * 1000).toTimeString().slice(0, 8));
/** "2026-01-31 15:04:05": as a day of the same form, whatever the locale. */
const exact = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toLocaleString("sv"));
const shortId = (id) => (id.length > 9 ? id.slice(0, 8) : id);

/** Copy a text; pages that were not loaded over https have no clipboard, there it is selected and copied as by a key. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function Copy({ text, label = "Copy" }) {
  const [said, say] = useState("");
  return html`<${Button} kind="link" onClick=${async () => { say((await copyText(text)) ? "Copied" : "Could not copy"); setTimeout(() => say(""), 1500); }}>${said || label}<//>`;
}
