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

const Cell = still(({ cell, state, pictures, before, focus }) => {
  const [box, near] = useNear();
  const look = statusLook(state.status);
  const name = state.names?.at(-1);
  const thumbnail = usePicture(pictures, "thumbnail", near && name);
  const preview = previewOf(state);
  const said = cell.values.map(([key, value]) => `${key} ${value}`).join(", ");
  const error = state.error && errorLook(state.error.class);
  const picture = thumbnail ?? preview;
  const share = state.share ? percent(state.share) : "";
  let inner;
  if (picture) inner = html`<img src=${picture} alt="" />`;
  else if (error) inner = html`<span class="iwx-error"><b>${error[2]}</b><span class="iw-small iwx-why">${state.error.message}</span></span>`;
  else if (before !== undefined) inner = html`<span class="iw-dim">${before ? `${before} before it` : "next"}</span>`;
  else inner = html`<span class="iwx-state"><${Pill} look=${look} /><span class="iw-dim">${share}</span></span>`;
  return html`<div class=${`iwx-cell ${error ? "iwx-bad" : ""}`} ref=${box} role="gridcell" aria-label=${`${said}: ${look[2]}${state.error ? `, ${state.error.message}` : ""}`}>
    <button type="button" class="iwx-open" data-id=${cell.id} data-act="open" tabindex=${focus ? 0 : -1} title=${said} aria-label=${`${look[2]}: ${said}`}>${inner}</button>
    ${picture && html`<span class="iwx-foot iw-small">${thumbnail ? duration(state.took) : share}</span>`}
    ${state.status === "in_progress" && html`<span class="iwx-bar"><${Progress} share=${state.share} label=${`Progress of item ${state.item_id}`} /></span>`}
    ${AGAIN.includes(state.status) && html`<${Button} kind="outline" class="iwx-act" data-act="retry" tabindex=${focus ? 0 : -1}>Retry<//>`}
    ${OPEN.includes(state.status) && html`<${Button} kind="quiet" class="iw-icon iwx-cancel" aria-label=${`Cancel item ${state.item_id}`} title="Cancel" data-act="cancel">✕<//>`}
  </div>`;
});

const previewOf = (state) => (state.preview?.startsWith("data:image/") ? state.preview : null);

/** A heading of a row or column, with what can be done to all its jobs. */
function Heading({ name, value, states, onRetry, onCancel, role }) {
  const [open, again] = [idsOf(states, OPEN), idsOf(states, AGAIN)];
  const text = html`<span class="iwx-name">${name} <b>${value}</b></span>`;
  if (!open.length && !again.length) return html`<div class="iwx-head" role=${role}>${text}</div>`;
  return html`<div class="iwx-head" role=${role}><${Menu} label=${html`${text} ▾`} name=${`Jobs with ${name} ${value}`}>
    ${open.length > 0 && html`<${Button} kind="quiet" onClick=${() => onCancel(open)}>Cancel ${many(open.length, "job")}<//>`}
    ${again.length > 0 && html`<${Button} kind="quiet" onClick=${() => onRetry(again)}>Retry ${many(again.length, "job")}<//>`}<//></div>`;
}

function Axis({ name, label, names, other, onChange }) {
  const options = [["", "none"], ...names.filter((one) => one !== other).map((one) => [one, one])];
  return html`<span class="iw-chip"><${Choice} name=${label} label=${`${label}: ${name || "none"} ▾`} value=${name} options=${options} onChange=${onChange} /></span>`;
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
  const [names, x, y, facet, layout, pattern, again, saving] = useTraits(model, "names", "x", "y", "facet", "layout_", "pattern", "again", "saving");
  const states = useStates(model);
  const [run, busy] = useAct();
  const [open, setOpen] = useState(null); // [cell, name]
  const [question, ask] = useAsk();
  const [isSaving, setSaving] = useState(false);
  const pictures = usePictures(model);
  const cells = layout.cells ?? [];
  const { list: board, current, set: setFocused, move, back } = useTabStop(cells.map((cell) => cell.id));
  const stateOf = (cell) => states[cell.id] ?? { status: "pending", item_id: cell.id };
  const asked = (verb, ids, name) => {
    const text = `${verb} ${many(ids.length, "job")}`;
    ask(ids.length, { text: `${text}?`, yes: text, danger: name === "cancel", work: () => run(name, { item_ids: ids }), done: back });
  };
  const retry = (ids) => asked("Retry", ids, "retry");
  const cancel = (ids) => asked("Cancel", ids, "cancel");
  const click = ({ target, detail }) => { // here, not in 400 cells
    const button = target.closest("[data-act]:not([aria-disabled])");
    if (!button || detail > 1) return;
    const id = Number(button.parentElement.firstElementChild.dataset.id);
    const items = cards.filter((card) => card.id === id).map((card) => card.item_id);
    if (button.dataset.act === "open") setOpen([id]);
    else if (button.dataset.act === "retry") retry(items);
    else cancel(items);
    if (button.dataset.act === "open") setFocused(id);
    else back(id); // the button goes
  };
  const all = cells.map(stateOf);
  const [missing, waiting] = [idsOf(all, AGAIN), idsOf(all, OPEN)];
  const [done, failed] = [all.length - waiting.length, idsOf(all, ["failed"]).length];
  const cards = cells.map(({ id, values }, i) => ({ ...all[i], id, values, preview: previewOf(all[i]) }));
  const opened = open && cards.find((card) => card.id === open[0]);
  const withPictures = cards.filter((card) => card.names?.length);
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
  const draw = (cell) => html`<${Cell} key=${cell.id} cell=${cell} state=${stateOf(cell)} pictures=${pictures} before=${before.get(stateOf(cell).item_id)} focus=${cell.id === current} />`;
  const flat = !x && !y;
  // The same width in each row, which is laid out by itself: room for the longest heading, within limits.
  const side = y ? Math.min(Math.max(...rows.map((value) => `${y} ${value}`.length)) + 3, 22) : 0;
  const saved = (folder, file) => {
    if (folder !== undefined) run("save", { folder, pattern: file });
    setSaving(false);
    back();
  };
  if (again) return html`<${AgainForm} model=${model} reference=${again} onLeft=${() => back()} />`;
  return html`${isSaving ? html`<${SaveForm} what=${`the pictures of ${many(withPictures.length, "job")}`} pattern=${pattern} onDone=${saved} />` : question || html`<div class="iw-tools">
      ${names.length > 0 && html`<${Axis} name=${x} label="Columns" names=${names} other=${y} onChange=${(name) => put(model, "x", name)} />
      <${Axis} name=${y} label="Rows" names=${names} other=${x} onChange=${(name) => put(model, "y", name)} />`}
      <span class="iw-grow"></span><${Saving} saving=${saving} />
      <span class="iw-dim" role="status">${many(cells.length, "job")}${done && done < cells.length ? ` · ${count(done)} done` : ""}${failed ? ` · ${count(failed)} failed` : ""}</span>
      ${withPictures.length > 0 && html`<${Button} busy=${busy("save")} onClick=${() => setSaving(true)}>Save all …<//>`}
      ${missing.length > 0 && html`<${Button} busy=${busy("retry")} onClick=${() => retry(missing)}>Run missing (${count(missing.length)})<//>`}
      ${waiting.length > 0 && html`<${Button} danger busy=${busy("cancel")} onClick=${() => cancel(waiting)}>Cancel ${count(waiting.length)}<//>`}
    </div>`}
    ${cells.length === 0 ? html`<${Empty} text="Reading the jobs …" />` : html`<div class="iwx-board" ref=${board} role="grid" aria-label="Jobs by their values" onKeyDown=${move} onClick=${click}>
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
    ${opened && html`<${FullView} cards=${cards.filter((card) => card === opened || card.names?.length)} card=${opened} chosen=${open[1]} pictures=${pictures} onOpen=${(card, name) => setOpen([card.id, name])} onClose=${() => { setOpen(null); back(opened.id); }}>
      <${Pill} look=${opened.error ? errorLook(opened.error.class) : statusLook(opened.status)} /><span class="iw-dim">${opened.message}${opened.share ? ` · ${percent(opened.share)}` : ""}</span>
      ${AGAIN.includes(opened.status) && html`<${Button} kind="solid" onClick=${() => retry([opened.item_id])}>Retry<//>`}<//>`}`;
}
export default part(Grid);
