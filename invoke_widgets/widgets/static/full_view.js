// Pictures with their values, and in full with what can be done with them.

function Values({ values }) {
  return html`<span class="iwg-values">${values.map(([name, value]) => html`<span><span class="iw-dim">${name}</span> <bdi>${value}</bdi></span>`)}</span>`;
}

/** A menu of boards, with a new one. */
function Move({ boards, onMove }) {
  const [name, setName] = useState("");
  const make = (event) => { if (event.key === "Enter") { event.preventDefault(); event.target.nextElementSibling.click(); } };
  return html`<${Menu} kind="outline" label="Move ▾" name="Move to a board">
    ${boards.map(([id, title]) => html`<button type="button" key=${id} onClick=${() => onMove({ board_id: id, name: title })}><bdi class="iw-cut">${title}</bdi></button>`)}
    <button type="button" onClick=${() => onMove({})}>No board</button>
    <div class="iwg-new"><input aria-label="New board" placeholder="New board" value=${name} onInput=${(event) => setName(event.target.value)} onKeyDown=${make} />
      <${Button} disabled=${!name.trim()} onClick=${() => onMove({ name: name.trim(), is_new: true })}>Make<//></div><//>`;
}

/** In place of the tools: where to save pictures; `onDone(folder, names)`, or `onDone()` for nowhere. */
function SaveForm({ what, pattern, onDone }) {
  const [folder, setFolder] = useState("pictures");
  const [file, setFile] = useState(pattern);
  const first = useRef(null);
  useLayoutEffect(() => { first.current.focus(); }, []);
  const save = () => onDone(folder, file);
  const key = (event) => { // no <form>: JupyterLab takes Enter, so that it would not be sent
    if (event.key === "Escape") { event.stopPropagation(); onDone(); }
    if (event.key === "Enter" && event.target.matches("input")) { event.preventDefault(); save(); }
  };
  return html`<div class="iw-tools" role="group" aria-label="Save pictures" onKeyDown=${key}>
    <b>Save ${what}</b>
    <label class="iw-option">Folder <input ref=${first} value=${folder} onInput=${(event) => setFolder(event.target.value)} /></label>
    <label class="iw-option iw-grow">Names <input value=${file} title="{name} is the picture's name on the server; the varied values have their own names" onInput=${(event) => setFile(event.target.value)} /></label>
    <${Button} kind="solid" onClick=${save}>Save<//><${Button} onClick=${() => onDone()}>Cancel<//></div>`;
}

function Saving({ saving }) {
  if (!saving.total) return null;
  return html`<span class="iwg-saving" role="status"><${Progress} share=${saving.done / saving.total} label="Saved pictures" /> Saved ${count(saving.done)} of ${count(saving.total)}</span>`;
}

/** The form that makes a picture again, in place of the pictures; `onLeft` is called when it has gone. */
function AgainForm({ model, reference, onLeft }) {
  const [run] = useAct();
  const back = useRef(null);
  useEffect(() => {
    back.current.firstElementChild.focus();
    return onLeft;
  }, []);
  return html`<div class="iw-tools" ref=${back}><${Button} onClick=${() => run("back")}>‹ Back to the pictures<//></div><${Child} model=${model} reference=${reference} />`;
}

/**
 * One job's picture as large as fits, over the page; without one, its preview or error. `cards` are the jobs; one has
 * `item_id`, `names`, `values` and so on. `children`: what else can be done with it.
 */
function FullView({ cards, card, chosen, pictures, selected, onSelect, onOpen, onClose, children }) {
  const { names = [] } = card;
  const name = names.includes(chosen) ? chosen : names.at(-1); // what was chosen may be deleted by now
  const { root } = useContext(Scope);
  const dialog = useRef(null);
  const [run, busy] = useAct();
  const [question, ask] = useAsk();
  const thumbnail = usePicture(pictures, "thumbnail", name);
  const url = usePicture(pictures, "picture", name) ?? thumbnail ?? (name ? undefined : card.preview);
  const about = usePicture(pictures, "about", name);
  const at = cards.indexOf(card);
  useEffect(() => {
    const it = dialog.current;
    it.showModal();
    return () => it.close();
  }, []);
  useEffect(() => { ask(0); }, [name]);
  const open = (next) => next && onOpen(next);
  const remove = () => ask(Infinity, {
    text: "Delete this picture from the server for good?", yes: "Delete the picture", done: () => dialog.current.focus(), // what had it is gone
    work() {
      run("delete", { names: [name] });
      if (names.length === 1) open(cards[at + 1] ?? cards[at - 1]);
    },
  });
  const key = (event) => {
    event.stopPropagation();
    if (event.target.matches("input, [role=radio], .iw-sheet *")) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) { event.preventDefault(); open(cards[at + by]); }
    if (event.key === "Delete" && about) remove();
  };
  const close = () => dialog.current.close();
  const facts = [
    Number.isFinite(card.took) && `${timeOfDay(card.at)} · took ${duration(card.took)}`,
    ...(about ? [`${about.size[0]} × ${about.size[1]}`, about.uploaded && "upload", about.intermediate && "intermediate", about.board && html`on <bdi>${about.board}</bdi>`] : []),
  ].filter(Boolean);
  return html`<dialog class="iwg-full" tabindex="-1" ref=${dialog} aria-label=${`Picture of item ${card.item_id}`} onKeyDown=${key} onClose=${onClose} onClick=${(event) => { if (event.target === dialog.current) close(); }}>
    <div class="iw-tools"><h4 class="iw-cut iw-grow">Item ${card.item_id}</h4>
      <${Button} kind="quiet" class="iw-icon" aria-label="Previous picture" repeats disabled=${at <= 0} onClick=${() => open(cards[at - 1])}>‹<//>
      <${Button} kind="quiet" class="iw-icon" aria-label="Next picture" repeats disabled=${at >= cards.length - 1} onClick=${() => open(cards[at + 1])}>›<//>
      <${Button} kind="quiet" class="iw-icon" aria-label="Close" autofocus onClick=${close}>✕<//></div>
    ${question || html`<div class="iw-tools iwg-acts">
      ${children}
      ${name && html`<${Button} kind="solid" busy=${busy("again")} title="The form of its workflow, with the values that made it" onClick=${() => { close(); run("again", { name }); }}>Again with these values<//>`}
      ${about && html`<${Button} aria-pressed=${about.starred} busy=${busy("star")} onClick=${() => run("star", { names: [name], on: !about.starred })}>${about.starred ? "★ Starred" : "☆ Star"}<//>
      <${Move} boards=${about.boards} onMove=${(to) => run("move", { names: [name], ...to })} />`}
      ${onSelect && html`<${Button} aria-pressed=${selected.includes(name)} onClick=${() => onSelect(name)}>${selected.includes(name) ? "✓ Selected" : "Select"}<//>`}
      ${name && url && html`<a class="iwg-link" href=${url} download=${name}>Download</a>`}
      ${name && html`<${Copy} text=${name} label="Copy name" />`}
      ${isInside(root) && html`<${Button} onClick=${() => { close(); askAround(root, "iw-show", { item_id: card.item_id }); }}>Show its row<//>`}
      <span class="iw-grow"></span>
      ${about && html`<${Button} danger busy=${busy("delete")} onClick=${remove}>Delete …<//>`}
    </div>`}
    <div class="iwg-large">${url ? html`<img src=${url} alt=${name ?? `Preview of item ${card.item_id}`} />`
      : html`<span class=${card.error ? "iw-wrong iwg-why" : "iw-dim"}>${card.error?.message ?? (!name ? "No picture." : url === null ? "The server does not have this picture any more." : "…")}</span>`}</div>
    ${names.length > 1 && html`<div class="iwg-strip" role="group" aria-label="Pictures of this job">${names.map((one, i) => html`<button type="button" key=${one} class=${one === name ? "iw-on" : ""} aria-pressed=${one === name} aria-label=${`Picture ${i + 1} of ${names.length}`} onClick=${() => onOpen(card, one)}><${Thumb} pictures=${pictures} name=${one} /></button>`)}${andMore(card)}</div>`}
    <div class="iwg-about"><${Values} values=${card.values} />
      <p class="iw-dim">${facts.map((fact, i) => html`${i ? " · " : ""}${fact}`)}</p>
      ${about?.metadata.length > 0 && html`<dl aria-label="Metadata">${about.metadata.map(([key, value]) => html`<dt><bdi>${key}</bdi></dt><dd><bdi>${value}</bdi></dd>`)}</dl>`}</div>
  </dialog>`;
}
