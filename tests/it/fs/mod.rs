//! File systems: what they say, and what hostile ones cannot do.

mod eltorito;
mod hostile;
mod hostile_iso;
mod hostile_udf;
mod iso;
mod tools;
mod udf;

use std::sync::Arc;

use spindle::disc::Disc;
use spindle::fs::{self, FileSystem, Flow, Namespace, Node, Step};
use spindle::image::{OpenOptions, open_source};
use spindle::source::{ByteSource, MemorySource};

fn disc(image: Vec<u8>) -> Disc {
    disc_of(MemorySource::new(image))
}

fn disc_of(image: impl ByteSource + 'static) -> Disc {
    open_source(Arc::new(image), &OpenOptions::default()).unwrap().disc
}

/// Every path below the root with its node, and every problem with the path it is at.
fn tree(fs: &dyn FileSystem) -> (Vec<(String, Node)>, Vec<String>) {
    let (mut nodes, mut problems) = (Vec::new(), Vec::new());
    fs::walk(fs, &fs.root().unwrap(), &mut |path, step| {
        let path = String::from_utf8_lossy(&path.join(&b'/')).into_owned();
        match step {
            Step::Node(node) => nodes.push((path, node.clone())),
            Step::Problem(problem) => problems.push(format!("{path}: {problem}")),
        }
        Flow::Into
    });
    (nodes, problems)
}

/// The problems of the whole tree, with nothing held but them.
fn problems(fs: &dyn FileSystem) -> Vec<String> {
    let mut problems = Vec::new();
    fs::walk(fs, &fs.root().unwrap(), &mut |path, step| {
        if let Step::Problem(problem) = step {
            problems.push(format!("{}: {problem}", String::from_utf8_lossy(&path.join(&b'/'))));
        }
        Flow::Into
    });
    problems
}

fn names(disc: &Disc, namespace: Namespace) -> Vec<String> {
    let fs = fs::open(disc, Some(namespace)).unwrap();
    tree(&*fs).0.into_iter().map(|(path, _)| path).collect()
}

#[derive(Default)]
struct Collected(Vec<u8>);

impl fs::Target for Collected {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.extend(bytes);
        Ok(())
    }

    fn zeros(&mut self, bytes: u64) -> std::io::Result<()> {
        self.0.resize(self.0.len() + usize::try_from(bytes).unwrap(), 0);
        Ok(())
    }
}

fn contents(disc: &Disc, namespace: Namespace, path: &str) -> Result<Vec<u8>, String> {
    let fs = fs::open(disc, Some(namespace)).unwrap();
    let node = fs::find(&*fs, path.as_bytes()).map_err(|error| error.to_string())?;
    let pieces = fs.pieces(&node).map_err(|error| error.to_string())?;
    let mut out = Collected::default();
    fs::copy(disc, &pieces, &mut out).map_err(|error| error.to_string())?;
    Ok(out.0)
}
