//! The real kustomize, in a program of ours that sees nothing but the files we send (see `kustomize/main.go`).

use std::{path::PathBuf, time::Duration};

use kit::{
    exec::{Command, ExecError, Limits, confine::Confinement},
    redact,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    aside::aside,
    budget::{Budget, ReadError},
    references::{self, Files},
};
use crate::tree::{Snapshot, Source, TreePath};

/// The program `signet-kustomize`.
#[derive(Debug, Clone)]
pub struct Kustomize {
    program: PathBuf,
    memory_bytes: u64,
}

/// What is built.
pub(super) struct Build<'a> {
    /// The directory.
    pub directory: &'a TreePath,
    /// What the Flux Kustomization adds, as `kustomize/overlay.go` reads it.
    pub overlay: Value,
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KustomizeError {
    /// What kustomize said, redacted.
    #[error("kustomize build of {directory} failed: {said}")]
    Build {
        /// The directory.
        directory: String,
        /// What it said.
        said: String,
    },
    /// The process could not run to its end.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// It ended without an answer.
    #[error("signet-kustomize ended without an answer: {0}")]
    NoAnswer(String),
    /// It wants more memory than it may have.
    #[error(
        "kustomize build of {directory} needs more than {} MiB of memory, the limit of one build: divide it among several Kustomizations",
        limit >> 20
    )]
    Memory {
        /// The directory.
        directory: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// It wants ever more files.
    #[error("kustomize build of {0} asks for files in too many rounds")]
    Rounds(String),
    /// A file cannot be read out of the repository, or the files are too many.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Kustomize {
    /// The program at this absolute path.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            memory_bytes: MOST_MEMORY,
        }
    }

    /// Lets one build have this much memory.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Builds with these files, and with whatever else of the tree kustomize asks for. Returns YAML documents, one
    /// object each, and the names of the files that were asked for.
    ///
    /// # Errors
    /// [`KustomizeError`].
    pub(super) async fn build(
        &self,
        build: &Build<'_>,
        tree: &Snapshot,
        source: &impl Source,
        mut files: Files,
        budget: &mut Budget,
    ) -> Result<(Vec<String>, Vec<TreePath>), KustomizeError> {
        let mut asked_for = Vec::new();
        for _ in 0..MOST_ROUNDS {
            let answer = self.ask(build, tree, &files).await?;
            if !answer.error.is_empty() {
                let said = redact::foreign(&answer.error);
                return Err(KustomizeError::Build {
                    directory: build.directory.to_string(),
                    said,
                });
            }
            if answer.need.is_empty() {
                return Ok((answer.documents, asked_for));
            }
            let needed: Vec<TreePath> = answer
                .need
                .iter()
                .filter_map(|path| TreePath::of_user(path).ok())
                .collect();
            let read = references::read(tree, source, needed, budget).await?;
            if read.keys().all(|path| files.contains_key(path)) {
                break;
            }
            asked_for.extend(read.keys().cloned());
            files.extend(read);
        }
        Err(KustomizeError::Rounds(build.directory.to_string()))
    }

    async fn ask(
        &self,
        build: &Build<'_>,
        tree: &Snapshot,
        files: &Files,
    ) -> Result<Answer, KustomizeError> {
        let output = Command::new(&self.program)
            .stdin(frame(build, tree, files)?)
            .limits(Limits {
                time: LONGEST_BUILD,
                output_bytes: LONGEST_ANSWER,
            })
            .confined(
                Confinement::default()
                    .with_libraries()
                    .memory(self.memory_bytes),
            )
            // From here on Go's collector works harder, before the limit ends it.
            .env("GOMEMLIMIT", (self.memory_bytes / 4 * 3).to_string())
            .run()
            .await?;
        if output.stderr.contains(OUT_OF_MEMORY) {
            return Err(KustomizeError::Memory {
                directory: build.directory.to_string(),
                limit: self.memory_bytes,
            });
        }
        let answer = aside(move || answer_in(&output.stdout)).await;
        answer.ok_or(KustomizeError::NoAnswer(output.stderr))
    }
}

#[derive(Serialize)]
struct Request<'a> {
    path: &'a str,
    files: Vec<Listed<'a>>,
    overlay: &'a Value,
}

#[derive(Serialize)]
struct Listed<'a> {
    path: &'a str,
    /// -1 for a file whose content is not sent.
    size: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    documents: Vec<String>,
    need: Vec<String>,
    error: String,
}

/// A request: the length of the JSON, the JSON, and the contents in the order of the list.
fn frame(build: &Build<'_>, tree: &Snapshot, files: &Files) -> Result<Vec<u8>, KustomizeError> {
    let mut contents: Vec<&[u8]> = Vec::new();
    let mut listed = Vec::new();
    for (path, _) in tree.names() {
        let content = TreePath::of_user(path)
            .ok()
            .and_then(|path| files.get(&path));
        if let Some(content) = content {
            contents.push(content);
        }
        let size = content.map_or(-1, |content| {
            i64::try_from(content.len()).unwrap_or(i64::MAX)
        });
        listed.push(Listed { path, size });
    }
    let request = Request {
        path: build.directory.as_str(),
        files: listed,
        overlay: &build.overlay,
    };
    let strange = |_| KustomizeError::NoAnswer("the request could not be encoded".to_owned());
    let header = serde_json::to_vec(&request).map_err(strange)?;
    let length = u32::try_from(header.len())
        .map_err(|_| KustomizeError::NoAnswer("the list of files is too long".to_owned()))?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(header);
    contents
        .into_iter()
        .for_each(|content| frame.extend(content));
    Ok(frame)
}

fn answer_in(output: &[u8]) -> Option<Answer> {
    let (length, rest) = output.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    serde_json::from_slice(rest.get(..length)?).ok()
}

/// A build of thousands of objects takes seconds.
const LONGEST_BUILD: Duration = Duration::from_secs(90);
const LONGEST_ANSWER: usize = 64 << 20;
/// A build of thousands of objects takes 200 MiB.
const MOST_MEMORY: u64 = 1 << 30;
/// How Go's runtime ends.
const OUT_OF_MEMORY: &str = "out of memory";
/// Each round is another build; an honest repository needs one or two.
const MOST_ROUNDS: usize = 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tree::tests::snapshot;

    #[tokio::test]
    async fn the_contents_follow_the_list_in_its_order() {
        let (tree, source) =
            snapshot(&[("a.yaml", "AA"), ("b.yaml", "B"), ("z", "-> a.yaml")]).await;
        let root = TreePath::default();
        let wanted = ["z", "a.yaml"].map(|path| TreePath::of_user(path).unwrap());
        let files = references::read(&tree, &source, wanted, &mut Budget::of(&root))
            .await
            .unwrap();
        let build = Build {
            directory: &root,
            overlay: json!({"namePrefix": "x-"}),
        };
        let frame = frame(&build, &tree, &files).unwrap();
        let length = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&frame[4..4 + length]).unwrap();
        let expected = json!({
            "path": "", "overlay": {"namePrefix": "x-"},
            "files": [{"path": "a.yaml", "size": 2}, {"path": "b.yaml", "size": -1}, {"path": "z", "size": 2}],
        });
        assert_eq!(header, expected);
        assert_eq!(&frame[4 + length..], b"AAAA");
    }

    #[test]
    fn an_answer_that_is_cut_off_is_no_answer() {
        let body = br#"{"documents":["a: b\n"]}"#;
        let whole = [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat();
        assert_eq!(answer_in(&whole).unwrap().documents, ["a: b\n"]);
        for end in 0..whole.len() {
            assert!(answer_in(&whole[..end]).is_none());
        }
    }
}
