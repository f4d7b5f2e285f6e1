// The gallery: the last picture of each job, the others and the details behind it.

/** Drawn once it is near the view, so that a long gallery asks for what is seen. */
function Card({ card, pictures, version, focus, onOpen }) {
  const box = useRef(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) { setNear(true); watch.disconnect(); } }, { rootMargin: "200px" });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const name = card.names[card.names.length - 1];
  const url = near ? pictures.url("thumbnail", name) : undefined;
  return html`<div class="iwg-card" ref=${box} role="listitem">
    <button type="button" class="iwg-open" data-item=${card.item_id} tabindex=${focus ? 0 : -1} aria-label=${`Open the picture of item ${card.item_id}`} onClick=${() => onOpen(card, card.names.length - 1)}>
      ${url ? html`<img src=${url} alt="" />` : html`<span class="iw-dim">${url === undefined ? "…" : "no picture"}</span>`}</button>
    <div class="iwg-caption iw-small"><${Values} values=${card.values} />
      <span class="iw-dim">item ${card.item_id} · ${duration(card.took)}${card.names.length > 1 ? ` · ${card.names.length - 1} more` : ""}</span></div>
  </div>`;
}

function Gallery({ model }) {
  const { page, root } = useContext(Scope);
  const [cards, filters, without, older] = useTraits(model, "cards", "filters", "without", "older");
  const [run, busy] = useAct();
  const [version, redraw] = useState(0);
  const [open, setOpen] = useState(null);
  const [focused, setFocused] = useState(null);
  const pictures = useMemo(() => new Pictures(model, page), []);
  const list = useRef(null);
  useEffect(() => { run("load"); return () => pictures.end(); }, []);
  useMessages(model, (message, buffers) => {
    if (message.t !== "thumbnail" && message.t !== "picture") return;
    pictures.take(message, buffers);
    redraw((n) => n + 1);
  });
  const words = String(filters.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const shown = cards.filter((card) => (!filters.batch || card.batch === filters.batch) &&
    words.every((word) => [card.item_id, ...card.values.flat()].join("\n").toLowerCase().includes(word)));
  const batches = new Map();
  for (const { batch } of cards) batches.set(batch, (batches.get(batch) ?? 0) + 1);
  const options = [["", "All"], ...[...batches].map(([batch, n]) => [batch, `${shortId(batch)} (${count(n)})`])];
  const change = (changes) => put(model, "filters", Object.fromEntries(Object.entries({ ...filters, ...changes }).filter(([, value]) => value)));
  const current = shown.some((card) => card.item_id === focused) ? focused : shown[0]?.item_id;
  const key = (event) => {
    const buttons = [...list.current.querySelectorAll(".iwg-open")];
    const at = buttons.findIndex((one) => one === root.getRootNode().activeElement);
    if (at < 0) return;
    const perRow = buttons.filter((one) => one.getBoundingClientRect().top === buttons[0].getBoundingClientRect().top).length;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + perRow, ArrowUp: at - perRow, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = buttons[Math.min(Math.max(to, 0), buttons.length - 1)];
    setFocused(Number(next.dataset.item));
    next.focus();
  };
  const close = () => {
    const item = open.card.item_id;
    setOpen(null);
    setFocused(item);
    requestAnimationFrame(() => list.current?.querySelector(`[data-item="${item}"]`)?.focus());
  };
  return html`<div class="iw-tools">
      <${Search} value=${filters.text ?? ""} label="Search values and items" onChange=${(text) => change({ text })} />
      ${(batches.size > 1 || filters.batch) && html`<${Chip} name="Batch" value=${filters.batch ?? ""} options=${options} onChange=${(batch) => change({ batch })} />`}
      <span class="iw-grow"></span>
      <span class="iw-dim" role="status">${cards.length ? many(shown.length, "job") : ""}${without ? `${cards.length ? " · " : ""}${many(without, "job")} without pictures` : ""}${busy("read") ? " · reading …" : ""}</span>
    </div>
    ${shown.length ? html`<div class="iwg-grid" role="list" aria-label="Pictures" ref=${list} onKeyDown=${key}>${shown.map((card) => html`<${Card} key=${card.item_id} card=${card} pictures=${pictures} version=${version} focus=${card.item_id === current} onOpen=${(one, index) => setOpen({ card: one, index })} />`)}</div>`
      : html`<${Empty} text=${cards.length ? "No picture matches the filters." : busy("read") ? "Looking for pictures …" : "No job has made a picture yet."} />`}
    ${older && html`<div class="iw-tools"><${Button} busy=${busy("read")} onClick=${() => run("older")}>Look at older jobs<//></div>`}
    ${open && html`<${FullView} cards=${shown} open=${open} pictures=${pictures} onOpen=${(card, index) => setOpen({ card, index })} onClose=${close} />`}`;
}
export default part(Gallery);
