// Histograms by uPlot, in the page's colours, of whichever scheme.
const scheme = matchMedia("(prefers-color-scheme: dark)");
const colourNamed = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const BINS = 40;

// Counts of values in bins of one width, given as {values, of: how to see if one counts}; log: of their logarithms.
function bins(values, low, high, count, counts = () => true) {
  const found = new Float64Array(count), scale = high > low ? count / (high - low) : 0;
  for (let k = 0; k < values.length; k++) {
    const value = values[k];
    if (value >= low && value <= high && counts(k)) found[Math.min(count - 1, Math.floor((value - low) * scale))]++;
  }
  return found;
}

function middles(low, high, count) {
  return Float64Array.from({ length: count }, (_, k) => low + (k + 0.5) * ((high > low ? high - low : 1) / count));
}

const superscript = value => String(value).replace(/[0-9-]/g, digit => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]));

// series: {name, counts, colour}. log: the axis shows powers of ten. chosen: [low, high] that is marked. onChoose: called
// with what is dragged over. mark, onMark: a line that can be dragged.
function Histogram({ low, high, series, height = 110, log = false, chosen = null, onChoose = null, mark = null, onMark = null, label, share = false }) {
  const place = useRef(null), plot = useRef(null), live = useRef({});
  const [dark, setDark] = useState(scheme.matches);
  live.current = { chosen, mark, onChoose, onMark };
  useEffect(() => {
    const follow = () => setDark(scheme.matches);
    scheme.addEventListener("change", follow);
    return () => scheme.removeEventListener("change", follow);
  }, []);
  useLayoutEffect(() => {
    const ink = colourNamed("--soft"), line = colourNamed("--line");
    const span = high > low ? high - low : 1, from = high > low ? low : low - 0.5;
    const axis = { stroke: ink, grid: { show: false }, ticks: { stroke: line, size: 4 }, font: "11px system-ui", size: 24, space: 46 };
    const options = {
      width: Math.max(120, place.current.clientWidth), height, legend: { show: false }, padding: [8, 8, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: !!onChoose, y: false, setScale: false } },
      select: { show: !!onChoose },
      scales: { x: { time: false, range: [from, from + span] }, y: { range: (u, a, b) => [0, b || 1] } },
      axes: [
        { ...axis, values: (u, ticks) => ticks.map(tick => (log ? (Number.isInteger(tick) ? `10${superscript(tick)}` : "") : short(tick))) },
        { ...axis, size: 40, space: 26, values: (u, ticks) => ticks.map(tick => (share ? `${Math.round(100 * tick)} %` : Number.isInteger(tick) ? short(tick) : "")) },
      ],
      series: [{}, ...series.map(({ colour }) => ({
        stroke: colour, width: 0, fill: `${colour}${series.length > 1 ? "99" : "cc"}`, points: { show: false },
        paths: uPlot.paths.bars({ size: [1, Infinity], gap: 1 }),
      }))],
      hooks: {
        setSelect: [u => {
          if (!live.current.onChoose || u.select.width < 2) return;
          live.current.onChoose(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
        draw: [u => {
          const pen = u.ctx, { top, height: tall, left, width: wide } = u.bbox;
          const at = value => Math.min(left + wide, Math.max(left, u.valToPos(value, "x", true)));
          if (live.current.chosen) {
            const [first, last] = live.current.chosen;
            pen.fillStyle = `${colourNamed("--accent")}33`;
            pen.fillRect(at(first), top, at(last) - at(first), tall);
          }
          if (live.current.mark !== null) {
            const x = at(live.current.mark);
            pen.fillStyle = colourNamed("--ink");
            pen.fillRect(x - devicePixelRatio, top, 2 * devicePixelRatio, tall);
            pen.beginPath(); pen.arc(x, top + 5 * devicePixelRatio, 5 * devicePixelRatio, 0, 7); pen.fill();
          }
        }],
        ready: [u => {
          if (!onMark) return;
          let dragging = false;
          const follow = event => {
            const box = u.over.getBoundingClientRect();
            live.current.onMark(u.posToVal(Math.min(box.width, Math.max(0, event.clientX - box.left)), "x"));
          };
          u.over.style.cursor = "ew-resize"; u.over.style.touchAction = "none";
          u.over.addEventListener("pointerdown", event => { dragging = true; try { u.over.setPointerCapture(event.pointerId); } catch { /* of no real pointer */ } follow(event); });
          u.over.addEventListener("pointermove", event => { if (dragging) follow(event); });
          u.over.addEventListener("pointerup", () => { dragging = false; });
        }],
      },
    };
    plot.current = new uPlot(options, [middles(low, high, series[0].counts.length), ...series.map(({ counts }) => counts)], place.current);
    const watch = new ResizeObserver(() => {
      if (place.current && place.current.clientWidth) plot.current?.setSize({ width: place.current.clientWidth, height });
    });
    watch.observe(place.current);
    return () => { watch.disconnect(); plot.current.destroy(); plot.current = null; };
  }, [low, high, dark, height, log, share, series.length, series.map(({ counts }) => counts.join()).join("|")]);
  useLayoutEffect(() => { plot.current?.redraw(false); }, [mark, chosen?.[0], chosen?.[1]]);
  return html`<div class="chart" ref=${place} role="img" aria-label=${label}></div>`;
}
