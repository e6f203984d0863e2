// What the page is made of: columns over frames and things, and packs that are loaded when their frames are to be seen.
const { html, h, render, useEffect, useLayoutEffect, useMemo, useRef, useState, uPlot } = libraries;
const written = document.getElementById("data"), data = JSON.parse(written.textContent);
written.remove();  // megabytes that are at hand as numbers from here on
const DEFECT = "defect";
const PACKS_KEPT = 192;

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

for (const name of ["brightness", "near_duplicates", "things", "parameters", "judges"]) delete data[name];

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
const packsAtHand = new Map(), packsAwaited = new Map();  // contents, the latest used last; promises and what keeps them
window.pack = (name, content) => packsAwaited.get(name)?.resolve(content);

const nameOf = url => url.slice(0, url.lastIndexOf("-"));

function keepAtHand(name, content) {
  packsAtHand.delete(name);
  packsAtHand.set(name, content);
  if (packsAtHand.size > PACKS_KEPT) packsAtHand.delete(packsAtHand.keys().next().value);
}

function load(url) {
  const name = nameOf(url);
  if (!packsAwaited.has(name)) {
    const script = document.createElement("script"), end = () => { script.remove(); packsAwaited.delete(name); };
    const promise = new Promise((resolve, reject) => {
      packsAwaited.set(name, { resolve: content => { keepAtHand(name, content); resolve(content); } });
      script.onload = () => { end(); reject(new Error(`${url} is damaged`)); };  // unless it has called pack
      script.onerror = () => { end(); reject(new Error(`${url} cannot be read`)); };
    });
    packsAwaited.get(name).promise = promise;
    script.src = url;
    document.head.append(script);
  }
  return packsAwaited.get(name).promise;
}

// What a pack has of a frame, if the pack is at hand.
function atHand(urls, position) {
  const name = nameOf(urls[Math.floor(position / data.pack_size)]), content = packsAtHand.get(name);
  if (content) keepAtHand(name, content);
  return content?.[position % data.pack_size];
}

const inPack = async (urls, position) =>
  atHand(urls, position) ?? (await load(urls[Math.floor(position / data.pack_size)]))[position % data.pack_size];
const thumbnailAtHand = position => atHand(data.thumbnails, position);
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
