// The jobs of a sweep by their values: pictures, previews, states and errors in rows and columns.

const OPEN = ["pending", "in_progress", "waiting"];
const AGAIN = ["failed", "canceled"];
const COUNTED = 10; // waiting jobs

const idsOf = (states, statuses) => states.filter((state) => statuses.includes(state.status)).map((state) => state.item_id);

/** A component that is drawn again only when something that it is given has changed: of 400 cells a few do at a time. */
const still = (Content) => class extends Component {
  shouldComponentUpdate(next) { return Object.keys(next).some((key) => next[key] !== this.props[key]); }
  render(props) { return html`<${Content} ...${props} />`; }
};

const Cell = still(({ cell, state, pictures, before, focus, on }) => {
  const [box, near] = useNear();
  const look = statusLook(state.status);
  const name = state.names?.at(-1);
  const thumbnail = usePicture(pictures, "thumbnail", near && name);
  const preview = previewOf(state);
  const said = cell.values.map(([key, value]) => `${key} ${value}`).join(", ");
  const error = state.error && errorLook(state.error.class);
  const picture = thumbnail ?? preview;
  const percent = state.share ? `${Math.round(state.share * 100)} %` : "";
  let inner;
  if (picture) inner = html`<img src=${picture} alt="" />`;
  else if (error) inner = html`<span class="iwx-error"><b>${error[2]}</b><span class="iw-small iwx-why">${state.error.message}</span></span>`;
  else if (before !== undefined) inner = html`<span class="iw-dim">${before ? `${before} before it` : "next"}</span>`;
  else inner = html`<span class="iwx-state"><${Pill} look=${look} /><span class="iw-dim">${percent}</span></span>`;
  return html`<div class=${`iwx-cell ${error ? "iwx-bad" : ""}`} ref=${box} role="gridcell" aria-label=${`${said}: ${look[2]}${state.error ? `, ${state.error.message}` : ""}`}>
    <button type="button" class="iwx-open" data-cell=${cell.id} tabindex=${focus ? 0 : -1} title=${said} aria-label=${`${look[2]}: ${said}`} onClick=${() => on.open(cell)}>${inner}</button>
    ${picture && html`<span class="iwx-foot iw-small">${thumbnail ? duration(state.took) : percent}</span>`}
    ${state.status === "in_progress" && html`<span class="iwx-bar"><${Progress} share=${state.share} label=${`Progress of item ${state.item_id}`} /></span>`}
    ${AGAIN.includes(state.status) && html`<${Button} kind="outline" class="iwx-act" tabindex=${focus ? 0 : -1} onClick=${() => on.retry(cell, state.item_id)}>Retry<//>`}
    ${OPEN.includes(state.status) && html`<${Button} kind="quiet" class="iw-icon iwx-cancel" aria-label=${`Cancel item ${state.item_id}`} title="Cancel" onClick=${() => on.cancel(cell, state.item_id)}>✕<//>`}
  </div>`;
});

const previewOf = (state) => (state.preview?.startsWith("data:image/") ? state.preview : null);

/** A heading of a row or column, with what can be done to all its jobs. */
function Heading({ name, value, states, onRetry, onCancel, role }) {
  const [open, again] = [idsOf(states, OPEN), idsOf(states, AGAIN)];
  const text = html`<span class="iwx-name">${name} <b>${value}</b></span>`;
  if (!open.length && !again.length) return html`<div class="iwx-head" role=${role}>${text}</div>`;
  return html`<div class="iwx-head" role=${role}><${Menu} label=${html`${text} ▾`} name=${`Jobs with ${name} ${value}`}>${(close) => html`
    ${open.length > 0 && html`<${Button} kind="quiet" onClick=${() => { close(); onCancel(open); }}>Cancel ${many(open.length, "job")}<//>`}
    ${again.length > 0 && html`<${Button} kind="quiet" onClick=${() => { close(); onRetry(again); }}>Retry ${many(again.length, "job")}<//>`}`}<//></div>`;
}

function Axis({ name, label, names, other, onChange }) {
  const options = [["", "none"], ...names.filter((one) => one !== other).map((one) => [one, one])];
  return html`<span class="iw-chip"><${Menu} role="radiogroup" name=${label} label=${`${label}: ${name || "none"} ▾`}>
    ${(close) => options.map(([key, text]) => html`<button type="button" role="radio" key=${key} aria-checked=${String(key === name)} onClick=${() => { close(); onChange(key); }}>${text}</button>`)}<//></span>`;
}

function Detail({ cell, state, onRetry, onClose }) {
  const box = useRef(null);
  useEffect(() => {
    box.current.querySelector("[aria-label='Close the details']").focus();
    box.current.scrollIntoView({ block: "nearest" });
  }, []);
  const preview = previewOf(state);
  return html`<div class="iwx-detail" role="dialog" ref=${box} aria-label=${`Item ${state.item_id}`} onKeyDown=${(event) => { if (event.key === "Escape") { event.stopPropagation(); onClose(); } }}>
    <div class="iw-tools"><${Pill} look=${state.error ? errorLook(state.error.class) : statusLook(state.status)} /><b>Item ${state.item_id}</b>
      <span class="iw-dim iw-grow">${state.message}${state.share ? ` · ${Math.round(state.share * 100)} %` : ""}</span>
      ${AGAIN.includes(state.status) && html`<${Button} onClick=${() => onRetry([state.item_id])}>Retry<//>`}<${Button} kind="quiet" class="iw-icon" aria-label="Close the details" onClick=${onClose}>✕<//></div>
    ${preview && html`<div class="iwg-large"><img class="iwx-large" src=${preview} alt=${`Preview of item ${state.item_id}`} /></div>`}
    <div class="iwx-text"><${Values} values=${cell.values} />${state.error && html`<p>${state.error.message}</p>`}</div></div>`;
}

/** The states of the cells, of which the kernel sends what has changed. */
function useStates(model) {
  const { page } = useContext(Scope);
  const [run] = useAct();
  const [states, set] = useState({});
  useMessages(model, (message) => { if (message.t === "states") set((before) => ({ ...before, ...message.states })); });
  useEffect(() => { run("states", { page }); }, []);
  return states;
}

function Grid({ model }) {
  const { root } = useContext(Scope);
  const [names, x, y, facet, layout, pattern, again, saving] = useTraits(model, "names", "x", "y", "facet", "layout_", "pattern", "again", "saving");
  const states = useStates(model);
  const [run, busy] = useAct();
  const [open, setOpen] = useState(null); // [item, name]
  const [shown, setShown] = useState(null);
  const [focused, setFocused] = useState(null);
  const [question, ask] = useAsk();
  const [isSaving, setSaving] = useState(false);
  const pictures = usePictures(model);
  const board = useRef(null);
  const cells = layout.cells ?? [];
  const stateOf = (cell) => states[cell.id] ?? { status: "pending", item_id: cell.id };
  const asked = (verb, ids, name) => {
    const text = `${verb} ${many(ids.length, "job")}`;
    ask(ids.length, { text: `${text}?`, yes: text, danger: name === "cancel", work: () => run(name, { item_ids: ids }), done: () => back(current) });
  };
  const retry = (ids) => asked("Retry", ids, "retry");
  const cancel = (ids) => asked("Cancel", ids, "cancel");
  const back = (id) => requestAnimationFrame(() => board.current?.querySelector(`[data-cell="${id}"]`)?.focus());
  const openCell = (cell) => {
    setFocused(cell.id);
    const { item_id: item, names: made } = stateOf(cell);
    if (made?.length) setOpen([item, made.at(-1)]);
    else setShown(cell.id);
  };
  const doing = useRef({});
  doing.current = {
    open: openCell,
    retry: (cell, item) => { retry([item]); back(cell.id); }, // the button goes
    cancel: (cell, item) => { cancel([item]); back(cell.id); },
  };
  const on = useMemo(() => Object.fromEntries(["open", "retry", "cancel"].map((name) => [name, (...of) => doing.current[name](...of)])), []);
  const key = (event) => {
    const buttons = [...board.current.querySelectorAll(".iwx-open")];
    const next = nextOf(event, buttons, buttons.findIndex((one) => one === root.getRootNode().activeElement));
    if (!next) return;
    event.preventDefault();
    setFocused(Number(next.dataset.cell));
    next.focus();
  };
  const all = cells.map(stateOf);
  const [missing, waiting] = [idsOf(all, AGAIN), idsOf(all, OPEN)];
  const [done, failed] = [all.length - waiting.length, idsOf(all, ["failed"]).length];
  const cards = cells.map(({ id, values }, i) => ({ ...all[i], id, values })).filter((card) => card.names?.length);
  const opened = open && cards.find((card) => card.item_id === open[0]);
  const current = cells.some((cell) => cell.id === focused) ? focused : cells[0]?.id;
  const columns = layout.columns?.length ? layout.columns : [""];
  const rows = layout.rows?.length ? layout.rows : [""];
  const facets = layout.facets?.length ? layout.facets : [""];
  const places = useMemo(() => {
    const found = new Map();
    for (const cell of layout.cells ?? []) { const place = cell.at.join(); found.set(place, [...(found.get(place) ?? []), cell]); }
    return found;
  }, [layout]);
  const queue = idsOf(all, ["pending"]).sort((a, b) => a - b);
  const before = new Map(queue.slice(0, COUNTED).map((id, i) => [id, i])); // further numbers would say little, and tick in every cell
  const draw = (cell) => html`<${Cell} key=${cell.id} cell=${cell} state=${stateOf(cell)} pictures=${pictures} before=${before.get(stateOf(cell).item_id)} focus=${cell.id === current} on=${on} />`;
  const flat = !x && !y;
  // The same width in each row, which is laid out by itself: room for the longest heading, within limits.
  const side = y ? Math.min(Math.max(...rows.map((value) => `${y} ${value}`.length)) + 3, 22) : 0;
  const detail = shown !== null && cells.find((cell) => cell.id === shown);
  if (again) return html`<${AgainForm} model=${model} reference=${again} onLeft=${() => back(current)} />`;
  return html`${isSaving ? html`<${SaveForm} what=${`the pictures of ${many(cards.length, "job")}`} pattern=${pattern} onNo=${() => { setSaving(false); back(current); }} onSave=${(folder, file) => { run("save", { names: cards.flatMap((card) => card.names), folder, pattern: file, final: true }); setSaving(false); back(current); }} />` : question || html`<div class="iw-tools">
      ${names.length > 0 && html`<${Axis} name=${x} label="Columns" names=${names} other=${y} onChange=${(name) => put(model, "x", name)} />
      <${Axis} name=${y} label="Rows" names=${names} other=${x} onChange=${(name) => put(model, "y", name)} />`}
      <span class="iw-grow"></span><${Saving} saving=${saving} />
      <span class="iw-dim" role="status">${many(cells.length, "job")}${done && done < cells.length ? ` · ${count(done)} done` : ""}${failed ? ` · ${count(failed)} failed` : ""}</span>
      ${cards.length > 0 && html`<${Button} busy=${busy("save")} onClick=${() => setSaving(true)}>Save all …<//>`}
      ${missing.length > 0 && html`<${Button} busy=${busy("retry")} onClick=${() => retry(missing)}>Run missing (${count(missing.length)})<//>`}
      ${waiting.length > 0 && html`<${Button} danger busy=${busy("cancel")} onClick=${() => cancel(waiting)}>Cancel ${count(waiting.length)}<//>`}
    </div>`}
    ${cells.length === 0 ? html`<${Empty} text="Reading the jobs …" />` : html`<div class="iwx-board" ref=${board} role="grid" aria-label="Jobs by their values" onKeyDown=${key}>
      ${facets.map((facetValue, f) => html`<section key=${facetValue}>
        ${facet && html`<h4>${facet} ${facetValue}</h4>`}
        ${flat ? html`<div class="iwx-flat" role="row">${cells.filter((cell) => cell.at[2] === f).map(draw)}</div>` : html`<div class="iwx-table" style=${`--iwx-columns:${columns.length};--iwx-rows:${rows.length};--iwx-side:${side}ch`}>
          ${x && html`<div class="iwx-row iwx-top" role="row"><span aria-hidden="true"></span><div class="iwx-cells" role="presentation">${columns.map((value, c) => html`<${Heading} key=${value} role="columnheader" name=${x} value=${value} states=${all.filter((_, i) => cells[i].at[0] === c)} onRetry=${retry} onCancel=${cancel} />`)}</div></div>`}
          ${rows.map((value, r) => html`<div class="iwx-row" role="row" key=${value}>
            ${y ? html`<${Heading} role="rowheader" name=${y} value=${value} states=${all.filter((_, i) => cells[i].at[1] === r)} onRetry=${retry} onCancel=${cancel} />` : html`<span aria-hidden="true"></span>`}
            <div class="iwx-cells" role="presentation">${columns.map((_, c) => { const here = places.get(`${c},${r},${f}`) ?? []; return html`<div class=${`iwx-place ${here.length > 1 ? "iwx-many" : ""}`} key=${c} role="presentation">${here.map(draw)}</div>`; })}</div>
          </div>`)}
        </div>`}
      </section>`)}
    </div>`}
    ${detail && html`<${Detail} cell=${detail} state=${stateOf(detail)} onRetry=${retry} onClose=${() => { setShown(null); back(detail.id); }} />`}
    ${opened && html`<${FullView} cards=${cards} card=${opened} chosen=${open[1]} pictures=${pictures} onOpen=${(item, name) => setOpen([item, name])} onClose=${() => { setOpen(null); back(opened.id); }} />`}`;
}
export default part(Grid);
