// Pictures that the kernel sends: kept by name, drawn with their values, and in full with what can be done with them.

/** What the kernel sent of pictures, asked for once each and kept while the view is shown. */
class Pictures {
  constructor(model, page) {
    this.model = model;
    this.page = page;
    this.known = new Map(); // "thumbnail NAME", "picture NAME" -> url, "about NAME" -> details; null where there is none
    this.watching = new Map(); // by the same keys: what is called when it comes
    this.wanted = {}; // by kind: the names to ask for
  }

  /** Ask for it once, and call `changed` whenever it comes; returns a function that ends the latter. */
  watch(kind, name, changed) {
    const key = `${kind} ${name}`;
    if (!this.watching.has(key)) {
      this.watching.set(key, new Set());
      if (!Object.keys(this.wanted).length) setTimeout(() => this.ask());
      (this.wanted[kind] ??= []).push(name);
    }
    this.watching.get(key).add(changed);
    return () => this.watching.get(key).delete(changed);
  }

  /** One message for a row that comes into view: each costs as much as drawing some cells. */
  ask() {
    for (const [kind, names] of Object.entries(this.wanted)) act(this.model, this.page, kind, { names, page: this.page });
    this.wanted = {};
  }

  take({ t, name, failed, about }, buffers) {
    if (t !== "thumbnail" && t !== "picture" && t !== "about") return;
    const key = `${t} ${name}`;
    this.known.set(key, failed ? null : t === "about" ? about : URL.createObjectURL(new Blob([buffers[0]])));
    for (const changed of this.watching.get(key) ?? []) changed();
  }

  end() {
    for (const it of this.known.values()) if (typeof it === "string") URL.revokeObjectURL(it);
  }
}

/** The pictures of a view. */
function usePictures(model) {
  const { page } = useContext(Scope);
  const pictures = useMemo(() => new Pictures(model, page), []);
  useEffect(() => () => pictures.end(), []);
  useMessages(model, (message, buffers) => pictures.take(message, buffers));
  return pictures;
}

/**
 * The "thumbnail" or "picture" of a name as a url, or what is known "about" it: undefined until it comes, null where
 * there is none. Only what uses it is drawn again when it comes.
 */
function usePicture(pictures, kind, name) {
  const [, redraw] = useState(0);
  useLayoutEffect(() => (name ? pictures.watch(kind, name, () => redraw((n) => n + 1)) : undefined), [kind, name]);
  return pictures.known.get(`${kind} ${name}`);
}

function Thumb({ pictures, name, alt = "" }) {
  const url = usePicture(pictures, "thumbnail", name);
  return url ? html`<img src=${url} alt=${alt} decoding="async" />` : html`<span class="iw-dim iw-small" title=${alt}>${url === null ? "no picture" : "…"}</span>`;
}

/** A reference to an element, and whether it has been near the view, so that a long list asks for what is seen. */
function useNear() {
  const box = useRef(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) { setNear(true); watch.disconnect(); } }, { rootMargin: "300px" });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [box, near];
}

/** Where an arrow key leads from one of the elements of a list that wraps; undefined for other keys. */
function nextOf(event, all, at) {
  if (at < 0) return undefined;
  const top = (one) => one.getBoundingClientRect().top;
  const isBeside = (one) => one && Math.abs(top(one) - top(all[at])) < 4;
  let [first, last] = [at, at]; // only as far as its row: to measure all of them would lay out what is out of view
  while (isBeside(all[first - 1])) first -= 1;
  while (isBeside(all[last + 1])) last += 1;
  const perRow = last - first + 1;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + perRow, ArrowUp: at - perRow, Home: 0, End: all.length - 1 }[event.key];
  return to === undefined ? undefined : all[Math.min(Math.max(to, 0), all.length - 1)];
}

function Values({ values }) {
  return html`<span class="iwg-values">${values.map(([name, value]) => html`<span><span class="iw-dim">${name}</span> <bdi>${value}</bdi></span>`)}</span>`;
}

/** A menu of boards, with a new one. */
function Move({ boards, onMove }) {
  const [name, setName] = useState("");
  return html`<${Menu} kind="outline" label="Move ▾" name="Move to a board">${(close) => html`
    ${boards.map(([id, title]) => html`<button type="button" key=${id} onClick=${() => { close(); onMove({ board_id: id, name: title }); }}><bdi class="iw-cut">${title}</bdi></button>`)}
    <button type="button" onClick=${() => { close(); onMove({}); }}>No board</button>
    <div class="iwg-new"><input aria-label="New board" placeholder="New board" value=${name} onInput=${(event) => setName(event.target.value)}
      onKeyDown=${(event) => { if (event.key === "Enter" && name.trim()) { event.preventDefault(); close(); onMove({ name: name.trim(), is_new: true }); } }} /></div>`}<//>`;
}

/** In place of the tools: where to save pictures. */
function SaveForm({ what, pattern, onSave, onNo }) {
  const [folder, setFolder] = useState("pictures");
  const [file, setFile] = useState(pattern);
  const first = useRef(null);
  useLayoutEffect(() => { first.current.focus(); }, []);
  const save = () => onSave(folder, file);
  const key = (event) => { // no <form>: JupyterLab takes Enter, so that it would not be sent
    if (event.key === "Escape") { event.stopPropagation(); onNo(); }
    if (event.key === "Enter" && event.target.matches("input")) { event.preventDefault(); save(); }
  };
  return html`<div class="iw-tools" role="group" aria-label="Save pictures" onKeyDown=${key}>
    <b>Save ${what}</b>
    <label class="iwg-option">Folder <input ref=${first} value=${folder} onInput=${(event) => setFolder(event.target.value)} /></label>
    <label class="iwg-option iw-grow">Names <input value=${file} title="{name} is the picture's name on the server; the varied values have their own names" onInput=${(event) => setFile(event.target.value)} /></label>
    <${Button} kind="solid" onClick=${save}>Save<//><${Button} onClick=${onNo}>Cancel<//></div>`;
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

/** One picture as large as fits, over the page. `cards` are the jobs; one has `item_id`, `names`, `values` and so on. */
function FullView({ cards, card, chosen, pictures, selected, onSelect, onOpen, onClose }) {
  const name = card.names.includes(chosen) ? chosen : card.names.at(-1); // what was chosen may be deleted by now
  const { root } = useContext(Scope);
  const dialog = useRef(null);
  const [run, busy] = useAct();
  const [asking, ask] = useState(false);
  const thumbnail = usePicture(pictures, "thumbnail", name);
  const url = usePicture(pictures, "picture", name) ?? thumbnail;
  const about = usePicture(pictures, "about", name);
  const at = cards.findIndex((one) => one.item_id === card.item_id);
  useEffect(() => {
    const it = dialog.current;
    it.showModal();
    return () => it.close();
  }, []);
  useEffect(() => { ask(false); }, [name]);
  const step = (by) => {
    const next = cards[at + by];
    if (next) onOpen(next.item_id, next.names.at(-1));
  };
  const key = (event) => {
    event.stopPropagation();
    if (event.target.matches("input, [role=radio], .iw-sheet *")) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) { event.preventDefault(); step(by); }
    if (event.key === "Escape" && asking) { event.preventDefault(); answered(); }
    if (event.key === "Delete" && about) ask(true);
  };
  const answered = () => {
    ask(false);
    dialog.current.focus(); // what had it is gone
  };
  const remove = () => {
    answered();
    run("delete", { names: [name] });
    const next = card.names.length === 1 && (cards[at + 1] ?? cards[at - 1]);
    if (next) onOpen(next.item_id, next.names.at(-1));
  };
  const again = () => { dialog.current.close(); run("again", { name }); };
  const size = about ? `${about.size[0]} × ${about.size[1]}` : "";
  const facts = about ? [size, about.uploaded && "upload", about.intermediate && "intermediate", about.board && html`on <bdi>${about.board}</bdi>`].filter(Boolean) : [];
  return html`<dialog class="iwg-full" tabindex="-1" ref=${dialog} aria-label=${`Picture of item ${card.item_id}`} onKeyDown=${key} onClose=${onClose} onClick=${(event) => { if (event.target === dialog.current) dialog.current.close(); }}>
    <div class="iw-tools"><h4 class="iw-cut iw-grow">Item ${card.item_id}</h4>
      <${Button} kind="quiet" class="iw-icon" aria-label="Previous picture" disabled=${at <= 0} onClick=${() => step(-1)}>‹<//>
      <${Button} kind="quiet" class="iw-icon" aria-label="Next picture" disabled=${at >= cards.length - 1} onClick=${() => step(1)}>›<//>
      <${Button} kind="quiet" class="iw-icon" aria-label="Close" autofocus onClick=${() => dialog.current.close()}>✕<//></div>
    ${asking ? html`<${Ask} text="Delete this picture from the server for good?" yes="Delete the picture" onYes=${remove} onNo=${answered} />` : html`<div class="iw-tools iwg-acts">
      <${Button} kind="solid" busy=${busy("again")} title="The form of its workflow, with the values that made it" onClick=${again}>Again with these values<//>
      ${about && html`<${Button} aria-pressed=${String(about.starred)} busy=${busy("star")} onClick=${() => run("star", { names: [name], on: !about.starred })}>${about.starred ? "★ Starred" : "☆ Star"}<//>
      <${Move} boards=${about.boards} onMove=${(to) => run("move", { names: [name], ...to })} />`}
      ${onSelect && html`<${Button} aria-pressed=${String(selected.includes(name))} onClick=${() => onSelect(name)}>${selected.includes(name) ? "✓ Selected" : "Select"}<//>`}
      ${url && html`<a class="iwg-link" href=${url} download=${name}>Download</a>`}
      <${Copy} text=${name} label="Copy name" />
      ${isInside(root) && html`<${Button} onClick=${() => { dialog.current.close(); askAround(root, "iw-show", { item_id: card.item_id }); }}>Show its row<//>`}
      <span class="iw-grow"></span>
      ${about && html`<${Button} danger busy=${busy("delete")} onClick=${() => ask(true)}>Delete …<//>`}
    </div>`}
    <div class="iwg-large">${url ? html`<img src=${url} alt=${name} />` : html`<span class="iw-dim">${url === null ? "The server does not have this picture any more." : "…"}</span>`}</div>
    ${card.names.length > 1 && html`<div class="iwg-strip" role="group" aria-label="Pictures of this job">${card.names.map((one, i) => html`<button type="button" key=${one} class=${one === name ? "iw-on" : ""} aria-pressed=${String(one === name)} aria-label=${`Picture ${i + 1} of ${card.names.length}`} onClick=${() => onOpen(card.item_id, one)}><${Thumb} pictures=${pictures} name=${one} /></button>`)}</div>`}
    <div class="iwg-about"><${Values} values=${card.values} />
      <p class="iw-dim">${[`${timeOfDay(card.at)} · took ${duration(card.took)}`, ...facts].map((fact, i) => html`${i ? " · " : ""}${fact}`)}</p>
      ${about?.metadata.length > 0 && html`<dl aria-label="Metadata">${about.metadata.map(([key, value]) => html`<dt><bdi>${key}</bdi></dt><dd><bdi>${value}</bdi></dd>`)}</dl>`}</div>
  </dialog>`;
}
