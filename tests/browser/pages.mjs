// Makes what the tests look at: a small model trained for a moment, its trace as a page and as data, and a page whose text
// tries to break out. They land in pages/, which is not kept in the repository.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const here = (name) => new URL(name, import.meta.url).pathname;
export const program = process.env.TRANSFORMER ?? here("../../target/release/transformer");
const pages = here("pages");

export const TEXT = "Tom gave the drum";
/** So many characters that the page holds samples of the larger tensors. */
export const LONG = "Tom gave the red drum to Ann. Ann has the drum. Tom";
export const HOSTILE = "</script><script>document.title='broken'</script><!-- שלום 👩‍👧 “a&b” \u2028";

function run(...words) {
  execFileSync(program, words, { stdio: ["ignore", "ignore", "inherit"] });
}

/** A small character model of a text. */
function trainOn(name, text, ...flags) {
  const directory = `${pages}/${name}`;
  if (existsSync(`${directory}/model.safetensors`)) return directory;
  writeFileSync(`${pages}/${name}.txt`, text);
  run("train", "--data", `${pages}/${name}.txt`, "--preset", "tiny", "--block_size", "96", "--max_iters", "60", "--eval_interval", "60", "--out_dir", directory, ...(flags.length > 0 ? flags : ["--n_embd", "32"]));
  return directory;
}

if (process.argv[1] === here("pages.mjs")) {
  mkdirSync(pages, { recursive: true });
  const trace = (...words) => run("trace", ...words);
  const stories = trainOn("stories", "Tom gave the red drum to Ann. Ann has the drum. ".repeat(400));
  trace("--from", process.env.RUN ?? stories, "--text", TEXT, "--html", `${pages}/step.html`, "--json", `${pages}/step.json`);
  trace("--from", process.env.RUN ?? stories, "--text", LONG, "--html", `${pages}/long.html`, "--json", `${pages}/long.json`);
  const llama = trainOn("llama", "Tom gave the red drum to Ann. Ann has the drum. ".repeat(400), "--design", "llama", "--n_kv_head", "1", "--n_embd", "80");
  trace("--from", llama, "--text", LONG, "--html", `${pages}/llama.html`, "--json", `${pages}/llama.json`);
  const hostile = trainOn("hostile", `${HOSTILE} `.repeat(400));
  trace("--from", hostile, "--text", HOSTILE, "--html", `${pages}/hostile.html`, "--json", `${pages}/hostile.json`);
  run("report", process.env.RUN ?? stories, "--out", `${pages}/report.html`);
  run("report", process.env.RUN ?? stories, stories, hostile, "--out", `${pages}/compared.html`);
  for (const name of ["step", "long", "llama", "hostile", "report", "compared"]) console.log(`${name}.html: ${readFileSync(`${pages}/${name}.html`).length} bytes`);
}
