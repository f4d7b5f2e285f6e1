// The jobs of a sweep by their values: pictures, previews, states and errors in rows and columns.

const OPEN = new Set(["pending", "in_progress", "waiting"]);
const AGAIN = new Set(["failed", "canceled"]);

function Cell({ cell, state, pictures, version, now, focus, onOpen, onRetry, onCancel }) {
  const box = useRef(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) { setNear(true); watch.disconnect(); } }, { rootMargin: "300px" });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const look = statusLook(state.status);
  const name = state.names?.[state.names.length - 1];
  const url = near && name ? pictures.url("thumbnail", name) : undefined;
  const preview = state.preview?.startsWith("data:image/") ? state.preview : null;
  const said = cell.values.map(([key, value]) => `${key} ${value}`).join(", ");
  const error = state.error && errorLook(state.error.class);
  const foot = name ? duration(state.took) : state.status === "in_progress" ? (state.share ? `${Math.round(state.share * 100)} %` : "running") : "";
  let inner;
  if (url) inner = html`<img src=${url} alt="" />`;
  else if (preview) inner = html`<img class="iwx-preview" src=${preview} alt="" />`;
  else if (error) inner = html`<span class="iwx-error"><b>${error[2]}</b><span class="iw-small iwx-why">${state.error.message}</span></span>`;
  else if (state.status === "pending") inner = html`<span class="iw-dim">${state.before ? `${count(state.before)} before it` : "next"}</span>`;
  else inner = html`<${Pill} look=${look} />`;
  return html`<div class=${`iwx-cell ${error ? "iwx-bad" : ""}`} ref=${box} role="gridcell" aria-label=${`${said}: ${look[2]}${state.error ? `, ${state.error.message}` : ""}`}>
    <button type="button" class="iwx-open" data-cell=${cell.id} tabindex=${focus ? 0 : -1} title=${said} aria-label=${`${look[2]}: ${said}`} onClick=${() => onOpen(cell)}>${inner}</button>
    ${foot && html`<span class="iwx-foot iw-small">${foot}</span>`}
    ${state.status === "in_progress" && html`<span class="iwx-bar"><${Progress} share=${state.share} label=${`Progress of item ${state.item_id}`} /></span>`}
    ${AGAIN.has(state.status) && html`<${Button} kind="outline" class="iwx-act" onClick=${() => onRetry([state.item_id])}>Retry<//>`}
    ${OPEN.has(state.status) && html`<${Button} kind="quiet" class="iw-icon iwx-cancel" aria-label=${`Cancel item ${state.item_id}`} title="Cancel" onClick=${() => onCancel([state.item_id])}>✕<//>`}
  </div>`;
}

/** A heading of a row or column, with what can be done to all its jobs. */
function Heading({ name, value, cells, states, onRetry, onCancel, role }) {
  const ids = (statuses) => cells.map((cell) => states[cell.id]).filter((state) => state && statuses.has(state.status)).map((state) => state.item_id);
  const [open, again] = [ids(OPEN), ids(AGAIN)];
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
  const closer = useRef(null);
  useEffect(() => { closer.current.querySelector("button")?.focus(); }, []);
  return html`<div class="iwx-detail" role="dialog" aria-label=${`Item ${state.item_id}`} onKeyDown=${(event) => { if (event.key === "Escape") { event.stopPropagation(); onClose(); } }}>
    <div class="iw-tools"><${Pill} look=${state.error ? errorLook(state.error.class) : statusLook(state.status)} /><b>Item ${state.item_id}</b><span class="iw-grow"></span>
      ${AGAIN.has(state.status) && html`<${Button} onClick=${() => onRetry([state.item_id])}>Retry<//>`}<span ref=${closer}><${Button} kind="quiet" class="iw-icon" aria-label="Close the details" onClick=${onClose}>✕<//></span></div>
    <div class="iwx-text"><${Values} values=${cell.values} />${state.error && html`<p>${state.error.message}</p>`}</div></div>`;
}

function Grid({ model }) {
  const { page, root } = useContext(Scope);
  const [names, x, y, facet, layout, states] = useTraits(model, "names", "x", "y", "facet", "layout_", "states");
  const [run, busy] = useAct();
  const [version, redraw] = useState(0);
  const [open, setOpen] = useState(null);
  const [shown, setShown] = useState(null);
  const [focused, setFocused] = useState(null);
  const [question, ask] = useState(null);
  const pictures = useMemo(() => new Pictures(model, page), []);
  const board = useRef(null);
  useEffect(() => () => pictures.end(), []);
  useMessages(model, (message, buffers) => {
    if (message.t !== "thumbnail" && message.t !== "picture") return;
    pictures.take(message, buffers);
    redraw((n) => n + 1);
  });
  const cells = layout.cells ?? [];
  const stateOf = (cell) => states[cell.id] ?? { status: "pending", item_id: cell.id };
  const asked = (verb, ids, name) => {
    const work = () => run(name, { item_ids: ids });
    if (ids.length > ASK_ABOVE) ask({ text: `${verb} ${many(ids.length, "job")}?`, yes: `${verb} ${many(ids.length, "job")}`, work, danger: name === "cancel" });
    else work();
  };
  const retry = (ids) => asked("Retry", ids, "retry");
  const cancel = (ids) => asked("Cancel", ids, "cancel");
  const back = (id) => requestAnimationFrame(() => board.current?.querySelector(`[data-cell="${id}"]`)?.focus());
  const openCell = (cell) => {
    setFocused(cell.id);
    if (stateOf(cell).names?.length) setOpen({ id: cell.id, index: stateOf(cell).names.length - 1 });
    else setShown(cell.id);
  };
  const key = (event) => {
    const buttons = [...board.current.querySelectorAll(".iwx-open")];
    const at = buttons.findIndex((one) => one === root.getRootNode().activeElement);
    if (at < 0) return;
    const perRow = buttons.filter((one) => Math.abs(one.getBoundingClientRect().top - buttons[at].getBoundingClientRect().top) < 4).length;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + perRow, ArrowUp: at - perRow, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = buttons[Math.min(Math.max(to, 0), buttons.length - 1)];
    setFocused(Number(next.dataset.cell));
    next.focus();
  };
  const cards = cells.filter((cell) => stateOf(cell).names?.length).map((cell) => ({ ...stateOf(cell), id: cell.id, values: cell.values }));
  const opened = open && cards.find((card) => card.id === open.id);
  const tally = {};
  for (const cell of cells) { const { status } = stateOf(cell); tally[status] = (tally[status] ?? 0) + 1; }
  const done = (tally.completed ?? 0) + (tally.failed ?? 0) + (tally.canceled ?? 0);
  const again = cells.map(stateOf).filter((state) => AGAIN.has(state.status)).map((state) => state.item_id);
  const waiting = cells.map(stateOf).filter((state) => OPEN.has(state.status)).map((state) => state.item_id);
  const current = cells.some((cell) => cell.id === focused) ? focused : cells[0]?.id;
  const columns = layout.columns?.length ? layout.columns : [""];
  const rows = layout.rows?.length ? layout.rows : [""];
  const facets = layout.facets?.length ? layout.facets : [""];
  const draw = (cell) => html`<${Cell} key=${cell.id} cell=${cell} state=${stateOf(cell)} pictures=${pictures} version=${version} focus=${cell.id === current} onOpen=${openCell} onRetry=${retry} onCancel=${cancel} />`;
  const flat = !x && !y;
  const detail = shown !== null && cells.find((cell) => cell.id === shown);
  return html`${question ? html`<${Ask} text=${question.text} yes=${question.yes} danger=${question.danger} onYes=${() => { question.work(); ask(null); }} onNo=${() => ask(null)} />` : html`<div class="iw-tools">
      ${names.length > 0 && html`<${Axis} name=${x} label="Columns" names=${names} other=${y} onChange=${(name) => put(model, "x", name)} />
      <${Axis} name=${y} label="Rows" names=${names} other=${x} onChange=${(name) => put(model, "y", name)} />`}
      <span class="iw-grow"></span>
      <span class="iw-dim" role="status">${many(cells.length, "job")}${done && done < cells.length ? ` · ${count(done)} done` : ""}${tally.failed ? ` · ${count(tally.failed)} failed` : ""}</span>
      ${again.length > 0 && html`<${Button} busy=${busy("retry")} onClick=${() => retry(again)}>Run missing (${count(again.length)})<//>`}
      ${waiting.length > 0 && html`<${Button} danger busy=${busy("cancel")} onClick=${() => cancel(waiting)}>Cancel ${count(waiting.length)}<//>`}
    </div>`}
    ${cells.length === 0 ? html`<${Empty} text="Reading the jobs …" />` : html`<div class="iwx-board" ref=${board} role="grid" aria-label="Jobs by their values" onKeyDown=${key}>
      ${facets.map((facetValue, f) => html`<section key=${facetValue}>
        ${facet && html`<h4>${facet} ${facetValue}</h4>`}
        ${flat ? html`<div class="iwx-flat" role="row">${cells.filter((cell) => cell.at[2] === f).map(draw)}</div>` : html`<div class="iwx-table" style=${`--iwx-columns:${columns.length}`}>
          ${x && html`<div class="iwx-row" role="row"><span class="iwx-corner" aria-hidden="true"></span>${columns.map((value, c) => html`<${Heading} key=${value} role="columnheader" name=${x} value=${value} cells=${cells.filter((cell) => cell.at[0] === c)} states=${states} onRetry=${retry} onCancel=${cancel} />`)}</div>`}
          ${rows.map((value, r) => html`<div class="iwx-row" role="row" key=${value}>
            ${y ? html`<${Heading} role="rowheader" name=${y} value=${value} cells=${cells.filter((cell) => cell.at[1] === r)} states=${states} onRetry=${retry} onCancel=${cancel} />` : html`<span aria-hidden="true"></span>`}
            ${columns.map((_, c) => { const here = cells.filter((cell) => cell.at[0] === c && cell.at[1] === r && cell.at[2] === f); return html`<div class=${`iwx-place ${here.length > 1 ? "iwx-many" : ""}`} key=${c} role="presentation">${here.map(draw)}</div>`; })}
          </div>`)}
        </div>`}
      </section>`)}
    </div>`}
    ${detail && html`<${Detail} cell=${detail} state=${stateOf(detail)} onRetry=${retry} onClose=${() => { setShown(null); back(detail.id); }} />`}
    ${opened && html`<${FullView} cards=${cards} open=${{ card: opened, index: Math.min(open.index, opened.names.length - 1) }} pictures=${pictures} onOpen=${(card, index) => setOpen({ id: card.id, index })} onClose=${() => { setOpen(null); back(opened.id); }} />`}`;
}
export default part(Grid);
