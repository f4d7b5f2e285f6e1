// The gallery: the last picture of each job, the others and the details behind it. Pictures are selected by name.

function Card({ card, pictures, focus, chosen, onOpen, onSelect }) {
  const [box, near] = useNear();
  const name = card.names.at(-1);
  return html`<div class=${`iwg-card ${chosen ? "iwg-chosen" : ""}`} ref=${box} role="listitem">
    <button type="button" class="iwg-open" data-item=${card.item_id} tabindex=${focus ? 0 : -1} aria-label=${`Open the picture of item ${card.item_id}${chosen ? ", selected" : ""}`} onClick=${(event) => (event.ctrlKey || event.metaKey || event.shiftKey ? onSelect(card, event.shiftKey) : onOpen(card.item_id, name))}>
      <${Thumb} pictures=${pictures} name=${near && name} /></button>
    <input type="checkbox" class="iwg-check" tabindex="-1" checked=${chosen} aria-label=${`Select the picture of item ${card.item_id}`} onClick=${(event) => onSelect(card, event.shiftKey)} />
    <div class="iwg-caption iw-small"><${Values} values=${card.values} />
      <span class="iw-dim">item ${card.item_id} · ${duration(card.took)}${card.names.length > 1 ? ` · ${card.names.length - 1} more` : ""}</span></div>
  </div>`;
}

function Gallery({ model }) {
  const { root } = useContext(Scope);
  const [cards, filters, without, older, selected, again, saving] = useTraits(model, "cards", "filters", "without", "older", "selected", "again", "saving");
  const [run, busy] = useAct();
  const [open, setOpen] = useState(null); // [item, name]
  const [focused, setFocused] = useState(null);
  const [task, setTask] = useState(""); // "save" or "delete"
  const pictures = usePictures(model);
  const list = useRef(null);
  const from = useRef(null); // where a range of selected ones begins
  useEffect(() => { run("load"); }, []);
  const words = String(filters.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const shown = cards.filter((card) => (!filters.batch || card.batch === filters.batch) &&
    words.every((word) => [card.item_id, ...card.values.flat()].join("\n").toLowerCase().includes(word)));
  const batches = new Map();
  for (const { batch } of cards) batches.set(batch, (batches.get(batch) ?? 0) + 1);
  const options = [["", "All"], ...[...batches].map(([batch, n]) => [batch, `${shortId(batch)} (${count(n)})`])];
  const change = (changes) => put(model, "filters", Object.fromEntries(Object.entries({ ...filters, ...changes }).filter(([, value]) => value)));
  const nameOf = (card) => card.names.at(-1);
  const select = (names) => put(model, "selected", [...new Set(names)]);
  const toggle = (name) => select(selected.includes(name) ? selected.filter((one) => one !== name) : [...selected, name]);
  const choose = (card, toHere) => {
    const [a, b] = [shown.indexOf(card), shown.findIndex((one) => one.item_id === from.current)].sort((x, y) => x - y);
    if (toHere && a >= 0) select([...selected, ...shown.slice(a, b + 1).map(nameOf)]);
    else toggle(nameOf(card));
    from.current = card.item_id;
    setFocused(card.item_id);
  };
  const current = shown.some((card) => card.item_id === focused) ? focused : shown[0]?.item_id;
  const unseen = selected.filter((name) => !shown.some((card) => card.names.includes(name))).length;
  const key = (event) => {
    const buttons = [...list.current.querySelectorAll(".iwg-open")];
    const at = buttons.findIndex((one) => one === root.getRootNode().activeElement);
    const next = nextOf(event, buttons, at);
    if (next) {
      event.preventDefault();
      setFocused(Number(next.dataset.item));
      next.focus();
    } else if (at >= 0 && event.key === " ") {
      event.preventDefault(); // Enter opens it
      choose(shown[at], event.shiftKey);
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      select([...selected, ...shown.map(nameOf)]);
    } else if (event.key === "Delete" && at >= 0) {
      if (!selected.length) select([nameOf(shown[at])]);
      setTask("delete");
    } else if (event.key === "Escape" && selected.length) {
      select([]);
    }
  };
  const back = (item) => { if (item !== undefined) setFocused(item); requestAnimationFrame(() => list.current?.querySelector(`[data-item="${item ?? current}"]`)?.focus()); };
  const opened = open && shown.find((card) => card.item_id === open[0]);
  const rest = () => { setTask(""); back(); };
  const boards = usePicture(pictures, "about", selected[0])?.boards ?? [];
  if (again) return html`<${AgainForm} model=${model} reference=${again} onLeft=${() => back()} />`;
  return html`${task === "save" ? html`<${SaveForm} what=${many(selected.length, "picture")} pattern="{name}" onNo=${rest} onSave=${(folder, pattern) => { run("save", { names: selected, folder, pattern }); rest(); }} />`
    : task === "delete" && selected.length ? html`<${Ask} text=${`Delete ${many(selected.length, "picture")}${unseen ? ` (${count(unseen)} not shown)` : ""} from the server for good?`} yes=${`Delete ${many(selected.length, "picture")}`} onYes=${() => { run("delete", { names: selected }); rest(); }} onNo=${rest} />`
    : html`<div class="iw-tools">
      <${Search} value=${filters.text ?? ""} label="Search values and items" onChange=${(text) => change({ text })} />
      ${(batches.size > 1 || filters.batch) && html`<${Chip} name="Batch" value=${filters.batch ?? ""} options=${options} onChange=${(batch) => change({ batch })} />`}
      <span class="iw-grow"></span><${Saving} saving=${saving} />
      ${selected.length > 0 ? html`<span class="iw-dim" role="status">${count(selected.length)} selected${unseen ? ` (${count(unseen)} not shown)` : ""}</span>
        <${Button} busy=${busy("star")} onClick=${() => run("star", { names: selected, on: true })}>☆ Star<//>
        <${Move} boards=${boards} onMove=${(to) => run("move", { names: selected, ...to })} />
        <${Button} busy=${busy("save")} onClick=${() => setTask("save")}>Save …<//>
        <${Button} danger busy=${busy("delete")} onClick=${() => setTask("delete")}>Delete …<//>
        <${Button} kind="quiet" class="iw-icon" aria-label="Select none" title="Select none" onClick=${() => { select([]); back(); }}>✕<//>`
        : html`<span class="iw-dim" role="status">${cards.length ? many(shown.length, "job") : ""}${without ? `${cards.length ? " · " : ""}${many(without, "job")} without pictures` : ""}${busy("read") ? " · reading …" : ""}</span>`}
    </div>`}
    ${shown.length ? html`<div class="iwg-grid" role="list" aria-label="Pictures: Enter opens, the space bar selects" ref=${list} onKeyDown=${key} onKeyUp=${(event) => { if (event.key === " " && event.target.matches(".iwg-open")) event.preventDefault(); }}>${shown.map((card) => html`<${Card} key=${card.item_id} card=${card} pictures=${pictures} focus=${card.item_id === current} chosen=${selected.includes(nameOf(card))} onOpen=${(item, name) => setOpen([item, name])} onSelect=${choose} />`)}</div>`
      : html`<${Empty} text=${cards.length ? "No picture matches the filters." : busy("read") ? "Looking for pictures …" : "No job has made a picture yet."} />`}
    ${older && html`<div class="iw-tools"><${Button} busy=${busy("read")} onClick=${() => run("older")}>Look at older jobs<//></div>`}
    ${opened && html`<${FullView} cards=${shown} card=${opened} chosen=${open[1]} pictures=${pictures} selected=${selected} onSelect=${toggle} onOpen=${(item, name) => setOpen([item, name])} onClose=${() => { setOpen(null); back(open[0]); }} />`}`;
}
export default part(Gallery);
