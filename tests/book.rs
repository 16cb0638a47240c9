//! The book, the README and CONTRIBUTING keep what they promise: every page is listed and its samples run, every link and
//! every path leads somewhere, every exercise has an answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A page of prose: where it lies in the repository, and its text.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: impl Into<PathBuf>) -> Page {
        let path = path.into();
        let text = fs::read_to_string(root().join(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Page { path, text }
    }

    /// The lines outside code samples.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut in_sample = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            in_sample ^= fence;
            !in_sample && !fence
        })
    }

    /// Where its links lead, the targets as they are written.
    fn links(&self) -> Vec<&str> {
        let targets = |line| str::split(line, "](").skip(1).filter_map(|rest| rest.split(')').next());
        self.prose().flat_map(targets).collect()
    }

    /// What its headings can be linked by: lower case, hyphens for spaces, no punctuation.
    fn anchors(&self) -> BTreeSet<String> {
        let heading =
            |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_lowercase());
        let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
        self.prose()
            .filter_map(heading)
            .map(|heading| heading.chars().filter(kept).collect::<String>().replace(' ', "-"))
            .collect()
    }

    /// What stands between backticks in its prose and its tables.
    fn code(&self) -> Vec<&str> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file names of the chapters, as they lie in `docs/src`.
fn chapters() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("docs/src")).expect("the book is there");
    let names =
        entries.map(|entry| entry.expect("a folder can be listed").file_name().into_string().expect("UTF-8"));
    names.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect()
}

fn pages() -> Vec<Page> {
    let in_book = chapters().into_iter().chain(["SUMMARY.md".to_owned()]);
    let in_book = in_book.map(|name| Path::new("docs/src").join(name));
    ["README.md", "CONTRIBUTING.md"].map(PathBuf::from).into_iter().chain(in_book).map(Page::read).collect()
}

#[test]
fn every_chapter_is_in_the_table_of_contents() {
    let summary = Page::read("docs/src/SUMMARY.md");
    let listed: BTreeSet<String> = summary.links().into_iter().map(str::to_owned).collect();
    assert_eq!(listed, chapters());
}

#[test]
fn the_samples_of_every_chapter_run() {
    let samples = Page::read("tests/support/samples.rs").text;
    let books = chapters().into_iter().map(|name| format!("docs/src/{name}"));
    for page in books.chain(["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]) {
        let hook = format!("#[doc = include_str!(\"../../{page}\")]");
        assert!(samples.contains(&hook), "{page} has no line in tests/support/samples.rs");
    }
}

#[test]
fn every_rust_sample_is_a_test_that_can_fail() {
    for page in pages() {
        for fence in page.text.lines().filter_map(|line| line.trim_start().strip_prefix("```")) {
            let known = ["", "rust", "rust,should_panic", "text", "sh", "toml"].contains(&fence);
            // CONTRIBUTING's walk-through changes the crate itself: .ci/add_an_op.py follows it in a copy.
            let followed = page.path == Path::new("CONTRIBUTING.md") && ["rs", "diff"].contains(&fence);
            assert!(known || followed, "{}: a sample marked {fence:?} may not run", page.path.display());
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        let folder = page.path.parent().unwrap_or(Path::new(""));
        for link in page.links().into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.path.clone() } else { folder.join(file) };
            let found = root().join(&target).exists()
                && (anchor.is_empty() || Page::read(&target).anchors().contains(anchor));
            if !found {
                broken.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn every_path_that_the_prose_names_exists() {
    let tops = ["autograd/", "transformer/", "tests/", "docs/", "benches/", ".ci/"];
    let mut missing = Vec::new();
    for page in pages() {
        let paths = page.code().into_iter().filter(|code| tops.iter().any(|top| code.starts_with(top)));
        let to_be_added =
            |path: &str| page.path == Path::new("CONTRIBUTING.md") && path.contains("logaddexp");
        let gone =
            paths.filter(|path| !path.contains(' ') && !to_be_added(path) && !root().join(path).exists());
        missing.extend(gone.map(|path| format!("{}: {path}", page.path.display())));
    }
    assert!(missing.is_empty(), "these files are not there:\n{}", missing.join("\n"));
}

#[test]
fn the_map_names_files_that_exist() {
    let text = Page::read("docs/src/reading.md").text;
    let (_, map) = text.split_once("## The map\n\n```text\n").expect("there is a map");
    let (map, _) = map.split_once("```").expect("the map ends");
    let mut folder = "";
    let mut files = 0;
    for line in map.lines() {
        let (indented, line) = (line.starts_with("  "), line.trim());
        let first = line.split("  ").next().unwrap_or(line);
        if !indented {
            folder = first;
            assert!(root().join(first).exists(), "{first} is not there");
            continue;
        }
        for name in first.split(", ") {
            let is_path = name.ends_with('/') || name.ends_with(".rs");
            assert!(is_path && root().join(folder).join(name).exists(), "{folder}{name} is not there");
            files += 1;
        }
    }
    assert!(files > 15, "the map has become small");
}

/// Four hops: each function of the table stands in its file, and its body calls the next one.
#[test]
fn the_walk_from_the_loss_to_a_kernel_is_the_one_in_the_source() {
    let page = Page::read("docs/src/reading.md");
    let rows: Vec<Vec<&str>> = page
        .prose()
        .filter(|line| line.starts_with("| `"))
        .map(|row| row.split('`').skip(1).step_by(2).collect())
        .collect();
    assert_eq!(rows.len(), 5);
    assert_eq!(rows.iter().map(|row| row[1]).collect::<BTreeSet<_>>().len(), 3, "three files");
    for (row, next) in rows.iter().zip(rows.iter().skip(1).map(Some).chain([None])) {
        let [function, file] = row[..] else { panic!("{row:?} is not a function and a file") };
        let source = Page::read(file).text;
        let start =
            source.find(&format!("fn {function}")).unwrap_or_else(|| panic!("{file} has no fn {function}"));
        let body = &source[start..];
        let end =
            body.find("\n    }\n").or(body.find("\n}\n")).expect("rustfmt closes a function on its own line");
        if let Some(next) = next {
            assert!(body[..end].contains(&format!("{}(", next[0])), "{function} does not call {}", next[0]);
        }
    }
}

#[test]
fn every_chapter_ends_in_a_command_to_run_and_in_exercises_with_answers() {
    for name in chapters() {
        let page = Page::read(Path::new("docs/src").join(&name));
        let (_, end) =
            page.text.split_once("\n## Run it\n").unwrap_or_else(|| panic!("{name} has nothing to run"));
        let (run, exercises) =
            end.split_once("\n## Exercises\n").unwrap_or_else(|| panic!("{name} has no exercises"));
        assert!(run.contains("```text\ncargo "), "{name}: the command to run is missing");
        let numbered = (1..10).take_while(|number| exercises.contains(&format!("\n{number}. "))).count();
        assert!((3..=5).contains(&numbered), "{name} has {numbered} exercises");
        assert_eq!(
            exercises.matches("<details><summary>Answer</summary>\n\n").count(),
            numbered,
            "{name}: answers"
        );
        assert_eq!(exercises.matches("\n   </details>").count(), numbered, "{name}: ends of answers");
    }
}

#[test]
fn a_broken_link_and_a_missing_heading_are_found() {
    let text =
        "# One page\n\nSee [a](b.md#c) and [d](#one-page).\n\n```text\n[not](a link)\n```\n".to_owned();
    let page = Page { path: "x.md".into(), text };
    assert_eq!(page.links(), ["b.md#c", "#one-page"]);
    assert_eq!(page.anchors(), BTreeSet::from(["one-page".to_owned()]));
}

/// The lines of a Rust source that hold the word `unsafe`, comments aside.
fn unsafe_lines(source: &str) -> usize {
    let code = source.lines().map(|line| line.split("//").next().unwrap_or(line));
    code.filter(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe"))
        .count()
}

/// Every Rust file below a folder of the repository.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => {
                Vec::from_iter(path.extension().is_some_and(|extension| extension == "rs").then_some(path))
            }
        })
        .collect()
}

#[test]
fn unsafe_code_is_only_in_the_kernels_and_says_there_why_it_is_sound() {
    let kernels = root().join("autograd/src/kernels");
    let mut with_unsafe = 0;
    let folders = ["autograd/src", "autograd/examples", "transformer/src", "transformer/examples"];
    for file in folders.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let source = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if unsafe_lines(&source) > 0 {
            assert!(file.starts_with(&kernels), "unsafe code outside the kernels: {}", file.display());
            assert!(source.contains("SAFETY"), "unsafe code without a SAFETY comment: {}", file.display());
            with_unsafe += 1;
        }
    }
    assert!(with_unsafe > 0, "the kernels have moved");
}

#[test]
fn the_word_unsafe_is_found_in_code_and_not_in_comments() {
    assert_eq!(unsafe_lines("// unsafe\nfn f() { unsafe { g() } }\nlet unsafe_lines = 1; // unsafe\n"), 1);
}

#[test]
fn the_tests_whose_names_the_readme_shows_exist() {
    let readme = Page::read("README.md").text;
    let shown = readme.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"));
    let names: Vec<&str> = shown.map(|path| path.rsplit("::").next().unwrap_or(path)).collect();
    let folders = ["tests", "autograd", "transformer"].iter();
    let sources: Vec<String> = folders
        .flat_map(|folder| rust_files(&root().join(folder)))
        .map(|file| fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        .collect();
    assert!(!names.is_empty());
    for name in names {
        let exists = sources.iter().any(|source| source.contains(&format!("fn {name}(")));
        assert!(exists, "the README shows a test that is not there: {name}");
    }
}
