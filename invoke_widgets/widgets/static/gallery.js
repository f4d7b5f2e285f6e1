// The gallery: the last picture of each job, the others and the details behind it. Pictures are selected by name.

const nameOf = (card) => card.names.at(-1);

function Card({ card, pictures, focus, chosen, onOpen, onSelect }) {
  const [box, near] = useNear();
  const name = nameOf(card);
  return html`<div class=${`iwg-card ${chosen ? "iwg-chosen" : ""}`} ref=${box} role="listitem">
    <button type="button" class="iwg-open" data-id=${card.item_id} tabindex=${focus ? 0 : -1} aria-label=${`Open the picture of item ${card.item_id}${chosen ? ", selected" : ""}`}
      onClick=${(event) => (event.ctrlKey || event.metaKey || event.shiftKey ? onSelect(card, event.shiftKey) : onOpen())}><${Thumb} pictures=${pictures} name=${near && name} /></button>
    <input type="checkbox" class="iwg-check" tabindex="-1" checked=${chosen} aria-label=${`Select the picture of item ${card.item_id}`} onClick=${(event) => onSelect(card, event.shiftKey)} />
    <div class="iwg-caption iw-small"><${Values} values=${card.values} />
      <span class="iw-dim">item ${card.item_id} · ${duration(card.took)}${card.made > 1 ? ` · ${count(card.made - 1)} more` : ""}</span></div>
  </div>`;
}

function Gallery({ model }) {
  const [cards, without, older, selected, again, saving] = useTraits(model, "cards", "without", "older", "selected", "again", "saving");
  const { filters, search, chip } = useFilters(model);
  const [run, busy] = useAct();
  const [open, setOpen] = useState(null); // [item, name]
  const [isSaving, setSaving] = useState(false);
  const [question, ask] = useAsk();
  const pictures = usePictures(model);
  const from = useRef(null); // where a range of selected ones begins
  useEffect(() => { run("load"); }, []);
  const shown = cards.filter(passing(filters, (card) => [card.item_id, ...card.values.flat()].join("\n")));
  const { list, current, set: setFocused, move, back } = useTabStop(shown.map((card) => card.item_id));
  const batches = new Map();
  for (const { batch } of cards) batches.set(batch, (batches.get(batch) ?? 0) + 1);
  const options = [["", "All"], ...[...batches].map(([batch, n]) => [batch, `${shortId(batch)} (${count(n)})`])];
  const select = (names) => put(model, "selected", [...new Set(names)]);
  const toggle = (name) => select(selected.includes(name) ? selected.filter((one) => one !== name) : [...selected, name]);
  const choose = (card, toHere) => {
    const [a, b] = [shown.indexOf(card), shown.findIndex((one) => one.item_id === from.current)].sort((x, y) => x - y);
    if (toHere && a >= 0) select([...selected, ...shown.slice(a, b + 1).map(nameOf)]);
    else toggle(nameOf(card));
    from.current = card.item_id;
    setFocused(card.item_id);
  };
  const unseen = selected.filter((name) => !shown.some((card) => card.names.includes(name))).length;
  const notShown = unseen ? ` (${count(unseen)} not shown)` : "";
  const remove = (names) => ask(Infinity, {
    text: `Delete ${many(names.length, "picture")}${notShown} from the server for good?`, yes: `Delete ${many(names.length, "picture")}`,
    work: () => run("delete", { names }), done: back,
  });
  const key = (event) => {
    const here = event.target.matches(".iwg-open") && shown.find((card) => card.item_id === Number(event.target.dataset.id));
    if (here && event.key === " ") {
      event.preventDefault(); // Enter opens it
      choose(here, event.shiftKey);
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      select([...selected, ...shown.map(nameOf)]);
    } else if (event.key === "Delete" && here) {
      if (!selected.length) select([nameOf(here)]);
      remove(model.get("selected"));
    } else if (event.key === "Escape" && selected.length) {
      select([]);
    } else {
      move(event);
    }
  };
  const opened = open && shown.find((card) => card.item_id === open[0]);
  const saved = (folder, pattern) => {
    if (folder !== undefined) run("save", { names: selected, folder, pattern });
    setSaving(false);
    back();
  };
  const boards = usePicture(pictures, "about", selected[0])?.boards ?? [];
  if (again) return html`<${AgainForm} model=${model} reference=${again} onLeft=${() => back()} />`;
  return html`${isSaving ? html`<${SaveForm} what=${many(selected.length, "picture")} pattern="{name}" onDone=${saved} />` : question || html`<div class="iw-tools">
      ${search("Search values and items")}
      ${(batches.size > 1 || filters.batch) && chip("Batch", "batch", options)}
      <span class="iw-grow"></span><${Saving} saving=${saving} />
      ${selected.length > 0 ? html`<span class="iw-dim" role="status">${count(selected.length)} selected${notShown}</span>
        <${Button} busy=${busy("star")} onClick=${() => run("star", { names: selected, on: true })}>☆ Star<//>
        <${Move} boards=${boards} onMove=${(to) => run("move", { names: selected, ...to })} />
        <${Button} busy=${busy("save")} onClick=${() => setSaving(true)}>Save …<//>
        <${Button} danger busy=${busy("delete")} onClick=${() => remove(selected)}>Delete …<//>
        <${Button} kind="quiet" class="iw-icon" aria-label="Select none" title="Select none" onClick=${() => { select([]); back(); }}>✕<//>`
        : html`<span class="iw-dim" role="status">${cards.length ? many(shown.length, "job") : ""}${without ? `${cards.length ? " · " : ""}${many(without, "job")} without pictures` : ""}${busy("read") ? " · reading …" : ""}</span>`}
    </div>`}
    ${shown.length ? html`<div class="iwg-grid" role="list" aria-label="Pictures: Enter opens, the space bar selects" ref=${list} onKeyDown=${key} onKeyUp=${(event) => { if (event.key === " " && event.target.matches(".iwg-open")) event.preventDefault(); }}>
      ${shown.map((card) => html`<${Card} key=${card.item_id} card=${card} pictures=${pictures} focus=${card.item_id === current} chosen=${selected.includes(nameOf(card))} onOpen=${() => setOpen([card.item_id])} onSelect=${choose} />`)}</div>`
      : html`<${Empty} text=${cards.length ? "No picture matches the filters." : busy("read") ? "Looking for pictures …" : "No job has made a picture yet."} />`}
    ${older && html`<div class="iw-tools"><${Button} busy=${busy("read")} onClick=${() => run("older")}>Look at older jobs<//></div>`}
    ${opened && html`<${FullView} cards=${shown} card=${opened} chosen=${open[1]} pictures=${pictures} selected=${selected} onSelect=${toggle} onOpen=${(card, name) => setOpen([card.item_id, name])} onClose=${() => { setOpen(null); back(open[0]); }} />`}`;
}
export default part(Gallery);
