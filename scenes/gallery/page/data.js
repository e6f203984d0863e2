// What the page is made of: columns over frames and things, and packs that are loaded when their frames are to be seen.
const { html, h, render, useEffect, useLayoutEffect, useMemo, useRef, useState, uPlot } = libraries;
const data = JSON.parse(document.getElementById("data").textContent);
const DEFECT = "defect";
const PACKS_KEPT = 48;

function bytes(text) {
  const raw = atob(text), found = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) found[k] = raw.charCodeAt(k);
  return found;
}
const numbers = text => new Float32Array(bytes(text).buffer);

const frames = data.indices.length;
const classes = data.classes;
const brightness = numbers(data.brightness);
const group = numbers(data.near_duplicates);
const things = Object.fromEntries(Object.entries(data.things).map(([name, text]) => [name, numbers(text)]));
const thingCount = things.frame.length;
const parameters = new Map(Object.entries(data.parameters).map(([name, text]) => [name, numbers(text)]));
const judges = data.judges.map(judge => ({
  ...judge,
  ...Object.fromEntries(["scores", "peaks", "low", "high", "seen"].map(name => [name, numbers(judge[name])])),
}));

// Of each frame: where its things begin, which classes are on it, and whether one of them is a defect.
const firstThing = new Uint32Array(frames + 1), classBits = new Uint32Array(frames), flawed = new Uint8Array(frames);
for (let k = 0; k < thingCount; k++) {
  const frame = things.frame[k], number = things.class_number[k];
  firstThing[frame + 1]++;
  classBits[frame] |= 1 << number;
  if (classes[number].family === DEFECT) flawed[frame] = 1;
}
for (let k = 0; k < frames; k++) firstThing[k + 1] += firstThing[k];
const positionOf = new Map(data.indices.map((index, position) => [index, position]));

function range(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
  return [low, high];
}

// A pack is a script that calls pack(its name, its content): the one way in which a page from a file can load anything.
const packsAtHand = new Map(), awaited = new Map();
window.pack = (name, content) => awaited.get(name)?.(content);

function load(url) {
  const name = url.slice(0, url.lastIndexOf("-"));
  if (packsAtHand.has(name)) {
    const there = packsAtHand.get(name);
    packsAtHand.delete(name); packsAtHand.set(name, there);  // the latest last
    return there;
  }
  const found = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    awaited.set(name, content => { awaited.delete(name); resolve(content); });
    script.src = url;
    script.onload = () => script.remove();
    script.onerror = () => { script.remove(); packsAtHand.delete(name); reject(new Error(`${url} cannot be read`)); };
    document.head.append(script);
  });
  packsAtHand.set(name, found);
  if (packsAtHand.size > PACKS_KEPT) packsAtHand.delete(packsAtHand.keys().next().value);
  return found;
}

const inPack = (urls, position) =>
  load(urls[Math.floor(position / data.pack_size)]).then(content => content[position % data.pack_size]);
const thumbnailOf = position => inPack(data.thumbnails, position);
const detailOf = position => inPack(data.details, position);
const mapOf = (judge, position) => inPack(judge.maps, position);
const imageOf = position => `${data.images}/${String(data.indices[position]).padStart(6, "0")}.png`;

const short = value => {
  if (!Number.isFinite(value)) return "–";
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5)) return String(Number(value.toPrecision(4)));
  return value.toExponential(2);
};
const grouped = value => value.toLocaleString("en").replaceAll(",", "\u2009");
const percent = share => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "–");
