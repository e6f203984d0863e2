// The page: filters beside the frames, tabs over them, one frame before them.
const WISHES = ["", "with", "without"];

// What a filter on a quantity shows: its histogram over all frames, to drag on, and two numbers.
function RangeFilter({ name, quantity, wish, change, remove }) {
  const { title, values, log } = quantity;
  const shown = useMemo(() => (log ? Float32Array.from(values, value => Math.log10(Math.max(value, 1e-9))) : values), [values]);
  const [low, high] = useMemo(() => range(shown.filter(value => !Number.isNaN(value))), [shown]);
  const counts = useMemo(() => bins(shown, low, high, BINS), [shown]);
  const out = value => (log ? 10 ** value : value), axis = value => (log ? Math.log10(Math.max(value, 1e-9)) : value);
  const number = (side, text) => { const value = parseFloat(text); change({ ...wish, [side]: Number.isFinite(value) ? value : null }); };
  const field = side => html`<input type="number" step="any" data-range=${name} data-side=${side} aria-label=${`${title}, ${side === "low" ? "at least" : "at most"}`} placeholder=${short(out(side === "low" ? low : high))}
    value=${wish[side] === null ? "" : Number(wish[side].toPrecision(4))} onChange=${event => number(side, event.target.value)} />`;
  return html`<div class="range" data-quantity=${name}><div class="bar"><b>${title}</b><span class="spread"></span><button type="button" class="plain" aria-label=${`no filter by ${title}`} onClick=${remove}>×</button></div>
    ${Number.isFinite(low) && html`<${Histogram} label=${`histogram of ${title}`} height=${78} low=${low} high=${high} log=${log} series=${[{ counts, colour: colourNamed("--accent") }]}
      chosen=${isActive(wish) ? [wish.low === null ? low : axis(wish.low), wish.high === null ? high : axis(wish.high)] : null}
      onChoose=${(first, last) => change({ low: out(first), high: out(last) })} />`}
    <div class="bar">${field("low")}<span class="soft">to</span>${field("high")}</div></div>`;
}

function Filters({ state, set, count, clear }) {
  const known = quantities(state), judge = judges[state.judge];
  const turn = k => set({ classes: state.classes.map((wish, n) => (n === k ? (wish + 1) % 3 : wish)) });
  const add = key => key && set({ ranges: { ...state.ranges, [key]: state.ranges[key] ?? { low: null, high: null } } });
  const others = [...known].filter(([key]) => !(key in state.ranges));
  const outcomes = judge ? OUTCOMES.filter((_, k) => k < 4 || judge.seen.some(Boolean)) : [];
  return html`<div class="filters">
    <div class="bar"><b id="count" aria-live="polite">${grouped(count)} of ${grouped(frames)} frames</b><span class="spread"></span><button type="button" id="clear" onClick=${clear}>Clear all</button></div>
    <fieldset><legend>Classes <span class="soft">select: with, without, either</span></legend><div class="chips">
      ${classes.map(({ name, colour }, k) => html`<button type="button" class=${`chip w${state.classes[k]}`} data-class=${name} aria-pressed=${state.classes[k] ? "true" : "false"} onClick=${() => turn(k)}>
        <i style=${{ background: colour }}></i>${state.classes[k] ? `${WISHES[state.classes[k]]} ` : ""}${name}</button>`)}
      <button type="button" class=${`chip w${state.bare ? 1 : 0}`} data-class="" aria-pressed=${state.bare} onClick=${() => set({ bare: !state.bare })}>good frames only</button></div></fieldset>
    ${judge && html`<fieldset><legend>Verdict <span class="soft">of ${judge.name}</span></legend><div class="chips">
      ${outcomes.map(name => html`<button type="button" class=${`chip w${state.outcomes.includes(name) ? 1 : 0}`} data-verdict=${name} aria-pressed=${state.outcomes.includes(name)}
        onClick=${() => set({ outcomes: state.outcomes.includes(name) ? state.outcomes.filter(other => other !== name) : [...state.outcomes, name] })}>${name}</button>`)}</div></fieldset>`}
    ${Object.entries(state.ranges).filter(([key]) => known.has(key)).map(([key, wish]) => html`<${RangeFilter} key=${key} name=${key} quantity=${known.get(key)} wish=${wish}
      change=${to => set({ ranges: { ...state.ranges, [key]: to } })}
      remove=${() => set({ ranges: Object.fromEntries(Object.entries(state.ranges).filter(([other]) => other !== key)) })} />`)}
    <label class="field">Filter by <select id="add" value="" onChange=${event => { add(event.target.value); event.target.value = ""; }}><option value="">what was drawn, measured or scored…</option>
      ${others.map(([key, { title }]) => html`<option value=${key}>${title}</option>`)}</select></label>
    <label class="field"><input type="checkbox" id="likes" checked=${state.duplicates} onChange=${event => set({ duplicates: event.target.checked })} /> only near-duplicates</label>
    <label class="field">Order <select id="sort" value=${state.sort} onChange=${event => set({ sort: event.target.value })}><option value="number">number</option><option value="group">near-duplicates</option>
      ${[...known].map(([key, { title }]) => html`<option value=${key}>${title}</option>`)}</select>
      <button type="button" id="falling" aria-pressed=${state.falling} aria-label="largest first" onClick=${() => set({ falling: !state.falling })}>${state.falling ? "↓" : "↑"}</button></label>
    <p class="soft hint">Keys: arrows and Enter on the frames · 1 to 9 masks of a class · m all masks${judge ? " · o outcome" : ""} · ← → in an open frame · Esc closes it.</p>
  </div>`;
}

const TABS = [["frames", "Frames"], ["figures", "Figures"], ...(judges.length ? [["inspector", "Inspector"]] : []), ...(data.comparison ? [["real", "Real pictures"]] : []), ["again", "How to repeat"]];
const opened = () => { const found = /^#frame=(\d+)$/.exec(location.hash); return found ? positionOf.get(Number(found[1])) ?? null : null; };

function Page() {
  const [state, setState] = useState(START), [open, setOpen] = useState(opened);
  const set = change => setState(old => ({ ...old, ...change }));
  const judged = state.outcomes.length ? state.thresholds[state.judge] : 0;
  const order = useMemo(() => kept(state), [state.classes, state.bare, state.ranges, state.outcomes, state.duplicates, state.sort, state.falling, state.judge, judged]);
  useEffect(() => {
    const follow = () => setOpen(opened());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => {
    const press = event => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.("input, select, textarea")) return;
      const number = "123456789".indexOf(event.key);
      if (number >= 0 && number < classes.length) setState(old => ({ ...old, overlay: "masks", shown: old.shown.map((on, k) => (k === number ? !on : on)) }));
      else if (event.key === "m") setState(old => ({ ...old, overlay: old.overlay === "masks" ? "none" : "masks" }));
      else if (event.key === "o" && judges.length) setState(old => ({ ...old, overlay: old.overlay === "outcome" ? "masks" : "outcome" }));
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const go = position => { setOpen(position); location.hash = position === null ? "" : `frame=${data.indices[position]}`; };
  const clear = () => set({ classes: START.classes, bare: false, ranges: {}, outcomes: [], duplicates: false });
  window.state = state;  // to look at from the console
  const moreThanClick = event => {
    const at = TABS.findIndex(([name]) => name === state.tab), by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const [name] = TABS[(at + by + TABS.length) % TABS.length];
    set({ tab: name });
    document.getElementById(`tab-${name}`).focus();
  };
  return html`<div class="app">
    <header><div class="bar"><h1>${data.title}</h1><span class="soft">${[`${grouped(frames)} frames`, ...data.facts].join(" · ")}</span></div>
      <div class="tabs" role="tablist" onKeyDown=${moreThanClick}>${TABS.map(([name, title]) => html`<button type="button" role="tab" id=${`tab-${name}`} aria-selected=${state.tab === name} tabindex=${state.tab === name ? 0 : -1}
        onClick=${() => set({ tab: name })}>${title}</button>`)}</div></header>
    <details class="side" open=${innerWidth > 820}><summary>Filters <span class="soft">${grouped(order.length)} of ${grouped(frames)}</span></summary><${Filters} state=${state} set=${set} count=${order.length} clear=${clear} /></details>
    <main role="tabpanel" aria-labelledby=${`tab-${state.tab}`}>
      ${state.tab === "frames" && html`<div class="over"><${OverlayChoice} state=${state} set=${set} />${state.overlay === "outcome" ? html`<${Keys} />` : html`<${Toggles} state=${state} set=${set} />`}</div>
        <${Frames} state=${state} order=${order} open=${go} />`}
      ${state.tab === "figures" && html`<${Figures} state=${state} set=${set} order=${order} />`}
      ${state.tab === "inspector" && html`<${Inspector} state=${state} set=${set} order=${order} />`}
      ${state.tab === "real" && html`<${Real} />`}
      ${state.tab === "again" && html`<div class="scrolled"><section><h2>How to repeat this</h2><div class="card"><pre>${data.command}</pre></div>
        <p class="soft">The page loads what it shows of frames from the folders beside it, and whole frames from the dataset: keep them where they lie to each other. Nothing comes from a network.</p>
        <details><summary>Libraries of others in this page, and their licences</summary><pre>${document.getElementById("licences").textContent}</pre></details></section></div>`}
    </main>
    ${open !== null && html`<${Detail} state=${state} set=${set} position=${open} order=${order} open=${go} />`}
  </div>`;
}

document.getElementById("page").replaceChildren();
render(html`<${Page} />`, document.getElementById("page"));
