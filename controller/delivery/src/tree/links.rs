//! Symbolic links, resolved within the repository and nowhere else.

use std::collections::{BTreeMap, HashMap};

use super::{
    TreePath,
    snapshot::{Blob, Source, TreeError},
};
use crate::git::{Oid, objects::Listed};

/// What the links of a tree give another name to: files, and the files below directories. A link that leads out of the
/// repository, to nothing, to a link inside another link's directory, or in a circle gives nothing.
pub(super) async fn aliases(
    files: &BTreeMap<String, Blob>,
    links: &[Listed],
    source: &impl Source,
) -> Result<BTreeMap<String, Blob>, TreeError> {
    if links.len() > MOST_LINKS {
        return Err(TreeError::Links("more than 2,000 of them"));
    }
    if links.iter().any(|link| link.size > LONGEST_TARGET) {
        return Err(TreeError::Links("a target of more than 4,096 bytes"));
    }
    let oids: Vec<Oid> = links.iter().map(|link| link.oid).collect();
    let bytes = links.iter().map(|link| link.size).sum();
    let contents = source.read(&oids, bytes).await?;
    let targets: HashMap<&str, String> = links
        .iter()
        .zip(contents)
        .filter_map(|(link, content)| Some((link.path.as_str(), String::from_utf8(content).ok()?)))
        .collect();
    let mut aliases = BTreeMap::new();
    for link in links {
        let Some(place) = resolve(&targets, &link.path) else {
            continue;
        };
        add(&mut aliases, files, &link.path, &place);
        if aliases.len() > MOST_ALIASES {
            return Err(TreeError::Links("they show more than 100,000 files"));
        }
    }
    Ok(aliases)
}

fn add(
    aliases: &mut BTreeMap<String, Blob>,
    files: &BTreeMap<String, Blob>,
    link: &str,
    place: &TreePath,
) {
    if let Some(blob) = files.get(place.as_str()) {
        aliases.insert(link.to_owned(), *blob);
        return;
    }
    let prefix = place.prefix();
    // A link to a directory above itself would show itself, for ever.
    if link.starts_with(&prefix) {
        return;
    }
    let below = files
        .range(prefix.clone()..)
        .take_while(|(name, _)| name.starts_with(&prefix));
    for (name, blob) in below.take(MOST_ALIASES + 1) {
        aliases.insert(format!("{link}/{}", &name[prefix.len()..]), *blob);
    }
}

/// Where a link leads in the end, through other links, or `None` if that is nowhere in the repository.
fn resolve(targets: &HashMap<&str, String>, link: &str) -> Option<TreePath> {
    let mut hops = 0;
    let mut place = TreePath::default();
    let mut ahead: Vec<String> = link.split('/').rev().map(str::to_owned).collect();
    while let Some(part) = ahead.pop() {
        match part.as_str() {
            "" | "." => continue,
            // Above the root is outside of the repository.
            ".." => place = place.parent()?,
            part => place = place.join(part).ok()?,
        }
        if let Some(target) = targets.get(place.as_str()) {
            hops += 1;
            if hops > MOST_HOPS || target.starts_with('/') {
                return None;
            }
            place = place.parent().unwrap_or_default();
            ahead.extend(target.split('/').rev().map(str::to_owned));
        }
    }
    Some(place)
}

/// As Linux.
const MOST_HOPS: usize = 40;
const MOST_LINKS: usize = 2_000;
const LONGEST_TARGET: u64 = 4_096;
const MOST_ALIASES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::snapshot;
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::of_user(text).unwrap()
    }

    #[tokio::test]
    async fn links_lead_to_files_and_directories_of_the_repository() {
        let (tree, _) = snapshot(&[
            ("base/a.yaml", "a"),
            ("base/deep/b.yaml", "b"),
            ("prod/own.yaml", "o"),
            ("prod/base", "-> ../base"),
            ("prod/one.yaml", "-> ./base/a.yaml"),
            ("again", "-> prod/base/deep"),
        ])
        .await;
        for name in [
            "prod/base/a.yaml",
            "prod/base/deep/b.yaml",
            "prod/one.yaml",
            "again/b.yaml",
        ] {
            assert!(tree.file(&path(name)).is_some(), "{name}");
        }
        assert!(tree.is_directory(&path("prod/base")));
        let below: Vec<&str> = tree.below(&path("prod")).map(|(name, _)| name).collect();
        assert_eq!(below, ["prod/own.yaml"]);
        let below: Vec<&str> = tree
            .below(&path("prod/base"))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(below, ["prod/base/a.yaml", "prod/base/deep/b.yaml"]);
    }

    #[tokio::test]
    async fn t16_t24_links_that_leave_the_repository_lead_nowhere() {
        let (tree, _) = snapshot(&[
            ("a.yaml", "a"),
            ("etc", "-> /etc"),
            ("passwd", "-> ../../../etc/passwd"),
            ("deep/passwd", "-> ../../a.yaml"),
            ("a/b/back", "-> ../../../a.yaml"),
            ("proc", "-> /proc/self/environ"),
            ("nothing", "-> missing"),
        ])
        .await;
        assert_eq!(tree.names().count(), 1);
    }

    #[tokio::test]
    async fn circles_end() {
        let (tree, _) = snapshot(&[
            ("x/a.yaml", "a"),
            ("one", "-> two"),
            ("two", "-> one"),
            ("self", "-> self"),
            ("x/up", "-> .."),
            ("x/here", "-> ."),
        ])
        .await;
        assert_eq!(
            tree.names().map(|(name, _)| name).collect::<Vec<_>>(),
            ["x/a.yaml"]
        );
    }

    #[tokio::test]
    async fn t25_links_that_multiply_are_stopped() {
        let files: Vec<(String, String)> = (0..400)
            .map(|index| (format!("d/{index}.yaml"), "x".to_owned()))
            .chain((0..400).map(|index| (format!("link{index}"), "-> d".to_owned())))
            .collect();
        let borrowed: Vec<(&str, &str)> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let (listed, contents) = super::super::snapshot::tests::listing(&borrowed);
        let result = super::super::Snapshot::new(listed, None, &contents).await;
        assert!(matches!(result, Err(TreeError::Links(_))));
    }
}
