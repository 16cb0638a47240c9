// Makes what the tests look at: a small model trained for a moment, its trace as a page and as data, and a page whose text
// tries to break out. They land in pages/, which is not kept in the repository.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const here = (name) => new URL(name, import.meta.url).pathname;
export const program = process.env.TRANSFORMER ?? here("../../target/release/transformer");
const pages = here("pages");

export const TEXT = "Tom gave the drum";
export const HOSTILE = "</script><script>document.title='broken'</script><!-- שלום 👩‍👧 “a&b” \u2028";

function run(...words) {
  execFileSync(program, words, { stdio: ["ignore", "ignore", "inherit"] });
}

/** A character model of a text that holds every character of `HOSTILE`. */
function trainOn(name, text) {
  const directory = `${pages}/${name}`;
  if (existsSync(`${directory}/model.safetensors`)) return directory;
  writeFileSync(`${pages}/${name}.txt`, text);
  run("train", "--data", `${pages}/${name}.txt`, "--preset", "tiny", "--block_size", "96", "--n_embd", "32", "--max_iters", "60", "--eval_interval", "60", "--out_dir", directory);
  return directory;
}

if (process.argv[1] === here("pages.mjs")) {
  mkdirSync(pages, { recursive: true });
  const trace = (...words) => run("trace", ...words);
  const stories = trainOn("stories", "Tom gave the red drum to Ann. Ann has the drum. ".repeat(400));
  trace("--from", process.env.RUN ?? stories, "--text", TEXT, "--html", `${pages}/step.html`, "--json", `${pages}/step.json`);
  const hostile = trainOn("hostile", `${HOSTILE} `.repeat(400));
  trace("--from", hostile, "--text", HOSTILE, "--html", `${pages}/hostile.html`, "--json", `${pages}/hostile.json`);
  run("report", process.env.RUN ?? stories, "--out", `${pages}/report.html`);
  run("report", process.env.RUN ?? stories, stories, hostile, "--out", `${pages}/compared.html`);
  for (const name of ["step", "hostile", "report", "compared"]) console.log(`${name}.html: ${readFileSync(`${pages}/${name}.html`).length} bytes`);
}
