// The wall of frames: only the tiles on the screen are in the document.
const GAP = 10, TILE = 148, CAPTION = 22, SPARE = 2;  // pixels, and rows beyond the screen
const levelsKept = new Map(), LEVELS_KEPT = 600;

async function thumbnailLevels(judge, position, height, width) {
  const key = `${judge.name} ${position}`;
  if (!levelsKept.has(key)) {
    levelsKept.set(key, levelsOf(judge, position, height, width));
    if (levelsKept.size > LEVELS_KEPT) levelsKept.delete(levelsKept.keys().next().value);
  }
  return levelsKept.get(key);
}

// A tile shows one frame after the other, so that a filter and a turn of the wheel make no elements and canvases anew.
function useThumbnail(position) {
  const [loaded, setLoaded] = useState(null), there = useMemo(() => thumbnailAtHand(position), [position]);
  useEffect(() => {
    if (there) return;
    let wanted = true;
    const take = found => wanted && setLoaded({ position, found });
    thumbnailOf(position).then(take, error => take({ error }));
    return () => { wanted = false; };
  }, [position]);
  return there ?? (loaded?.position === position ? loaded.found : null);
}

// Paints the picture itself: an element of an image would leave its pixels behind in the browser's own store.
function usePicture(canvas, thumbnail) {
  const [failed, setFailed] = useState(null);
  useLayoutEffect(() => {
    const mine = canvas.current;
    delete mine.dataset.seen;
    if (!thumbnail?.picture) return;
    const image = new Image();
    let wanted = true;
    image.onload = async () => {
      const picture = await createImageBitmap(image);
      if (wanted) {
        resize(mine, picture.height, picture.width);
        mine.getContext("2d", { alpha: false }).drawImage(picture, 0, 0);
        mine.dataset.seen = "";
      }
      picture.close();
    };
    image.onerror = () => wanted && setFailed(thumbnail);
    image.src = `data:image/webp;base64,${thumbnail.picture}`;
    return () => { wanted = false; };
  }, [thumbnail]);
  return thumbnail?.error ?? (failed && failed === thumbnail ? new Error("its small picture is damaged") : null);
}

function useOverlay(canvas, state, position, thumbnail) {
  const judge = judges[state.judge], threshold = state.thresholds[state.judge];
  const runs = useMemo(() => (thumbnail?.size ? thumbnailRuns(thumbnail) : null), [thumbnail]);
  useLayoutEffect(() => {
    if (!runs) { blank(canvas.current); return; }
    const [height, width] = thumbnail.size;
    if (state.overlay === "masks") paintRuns(canvas.current, runs, height, width, state.shown);
    else if (state.overlay === "outcome" && judge) {
      let wanted = true;
      thumbnailLevels(judge, position, height, width).then(levels => {
        if (wanted) paintOutcome(canvas.current, bitsOf(runs, height, width), levels, levelAt(judge, position, threshold), height, width);
      }, () => {});
      return () => { wanted = false; };
    } else blank(canvas.current);
  }, [runs, state.overlay, state.shown, state.judge, state.overlay === "outcome" ? threshold : 0]);
}

// A canvas that gives its memory back at once when it leaves the document.
function useCanvas() {
  const canvas = useRef(null);
  useLayoutEffect(() => {
    const mine = canvas.current;
    return () => resize(mine, 0, 0);
  }, []);
  return canvas;
}

const classesOn = position => classes.filter((_, number) => classBits[position] >> number & 1);

function describe(state, position) {
  const judge = judges[state.judge], there = classesOn(position).map(({ name }) => name).join(", ") || "nothing on it";
  const verdict = judge ? `, score ${short(judge.scores[position])}, ${OUTCOMES[outcomeOf(judge, state.thresholds[state.judge], position)]}` : "";
  return `frame ${data.indices[position]}: ${there}${verdict}`;
}

function Tile({ state, position, number, box, active, open }) {
  const thumbnail = useThumbnail(position), picture = useCanvas(), overlay = useCanvas(), judge = judges[state.judge];
  const error = usePicture(picture, thumbnail);
  useOverlay(overlay, state, position, thumbnail);
  const outcome = judge && outcomeOf(judge, state.thresholds[state.judge], position);
  return html`<div class=${`tile${active ? " active" : ""}`} id=${`tile-${position}`} role="option" data-frame=${data.indices[position]}
      aria-selected=${active} aria-setsize=${box.count} aria-posinset=${number + 1} aria-label=${describe(state, position)}
      style=${{ left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px` }} onClick=${open}>
    <div class="picture" style=${{ height: `${box.height - CAPTION}px` }}>
      ${error && html`<span class="broken">${error.message}</span>`}
      <canvas class="small" ref=${picture} width="0" height="0"></canvas><canvas class="overlay" ref=${overlay} width="0" height="0"></canvas>
    </div>
    <div class="caption"><span>${data.indices[position]}</span>
      ${group[position] >= 0 && html`<span class="like" title="has a near-duplicate">≈ ${group[position]}</span>`}
      ${judge ? html`<span class=${`outcome o${outcome}`}>${short(judge.scores[position])}</span>`
        : html`<span class="dots">${classesOn(position).map(({ name, colour }) => html`<i style=${{ background: colour }} title=${name}></i>`)}</span>`}
    </div></div>`;
}

function Frames({ state, order, open }) {
  const wall = useRef(null), [view, setView] = useState({ top: 0, width: 0, height: 0 }), [active, setActive] = useState(0);
  const shape = useMemo(() => {
    const ratios = data.sizes.map(([height, width]) => height / width).sort((a, b) => a - b);
    return Math.min(1.4, Math.max(0.4, ratios[ratios.length >> 1]));
  }, []);
  useLayoutEffect(() => {
    const look = () => setView({ top: wall.current.scrollTop, width: wall.current.clientWidth, height: wall.current.clientHeight });
    look();
    const watch = new ResizeObserver(look);
    watch.observe(wall.current);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => { wall.current.scrollTop = 0; setActive(0); }, [order]);
  const columns = Math.max(1, Math.floor((view.width - GAP) / (TILE + GAP)));
  const width = Math.max(60, (view.width - GAP * (columns + 1)) / columns), height = Math.round(width * shape) + CAPTION;
  const rows = Math.ceil(order.length / columns), step = height + GAP;
  const first = Math.max(0, Math.floor(view.top / step) - SPARE);
  const last = Math.min(rows, Math.ceil((view.top + view.height) / step) + SPARE);
  const tiles = [], slots = columns * (Math.ceil(view.height / step) + 2 * SPARE + 1);
  for (let number = first * columns; number < Math.min(order.length, last * columns); number++) {
    const position = order[number];
    tiles.push(html`<${Tile} key=${number % slots} state=${state} position=${position} number=${number} active=${number === active}
      open=${() => { setActive(number); open(position); }}
      box=${{ count: order.length, left: GAP + number % columns * (width + GAP), top: GAP + Math.floor(number / columns) * step, width, height }} />`);
  }
  const go = number => {
    const to = Math.min(order.length - 1, Math.max(0, number)), top = Math.floor(to / columns) * step;
    setActive(to);
    const box = wall.current;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + step + GAP > box.scrollTop + box.clientHeight) box.scrollTop = top + step + GAP - box.clientHeight;
  };
  const page = Math.max(1, Math.floor(view.height / step)) * columns;
  const keys = {
    ArrowRight: active + 1, ArrowLeft: active - 1, ArrowDown: active + columns, ArrowUp: active - columns,
    PageDown: active + page, PageUp: active - page, Home: 0, End: order.length - 1,
  };
  const press = event => {
    if (event.ctrlKey || event.altKey || event.metaKey || !order.length) return;
    if (event.key in keys) { event.preventDefault(); go(keys[event.key]); }
    else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(order[active]); }
  };
  return html`<div class="wall" id="wall" ref=${wall} tabindex="0" role="listbox" aria-label="frames" aria-activedescendant=${order.length ? `tile-${order[active]}` : undefined}
      onScroll=${() => setView({ ...view, top: wall.current.scrollTop })} onKeyDown=${press}>
    ${order.length ? html`<div role="presentation" style=${{ height: `${rows * step + GAP}px`, position: "relative" }}>${tiles}</div>`
      : html`<p class="empty">No frame is so. Take a filter back, or <b>Clear all</b>.</p>`}
  </div>`;
}
