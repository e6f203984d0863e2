// What scenes/gallery/page uses of them, under the name `libraries`.
import htm from "htm";
import { h } from "preact";
import uPlot from "uplot";

export { h, render } from "preact";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export const html = htm.bind(h);
export { uPlot };
