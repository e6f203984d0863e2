// Makes one file of the libraries, and one of their licences: node build.js FOLDER
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

const folder = process.argv[2];
const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
buildSync({
  entryPoints: ["libraries.js"], outfile: join(folder, "libraries.js"), bundle: true, minify: true, format: "iife",
  globalName: "libraries", target: "es2020", charset: "ascii", legalComments: "none",
});
writeFileSync(join(folder, "libraries.css"), readFileSync("node_modules/uplot/dist/uPlot.min.css", "utf8").trim() + "\n");
const licences = Object.entries(dependencies).map(([name, version]) => {
  const { license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  return `${name} ${version} (${license})\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`;
});
writeFileSync(join(folder, "LICENCES.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));
