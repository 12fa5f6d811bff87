//! Threads that decode ahead and are held up: by storage that hangs, or by each other. Readers go on.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use spindle::source::{Block, BlockCache, BlockSource, Blocks, ByteSource};

const BLOCK: u32 = 2048;
const GROUP: u64 = 64 << 10;
/// A read that takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(20);

/// Blocks of one length, 1 MiB in all, decoded by a function.
struct By<F>(F);

impl<F> fmt::Debug for By<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("By")
    }
}

impl<F: Fn(&Block, &mut [u8]) -> io::Result<()> + Send + Sync> Blocks for By<F> {
    fn total_len(&self) -> u64 {
        1 << 20
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / u64::from(BLOCK);
        Ok(Block { index, start: index * u64::from(BLOCK), len: BLOCK })
    }

    fn even(&self) -> Option<u32> {
        Some(BLOCK)
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        (self.0)(block, out)
    }
}

fn source(
    cache: &Arc<BlockCache>,
    decode: impl Fn(&Block, &mut [u8]) -> io::Result<()> + Send + Sync + 'static,
) -> BlockSource {
    BlockSource::new(Arc::new(By(decode)), Arc::clone(cache))
}

/// The only thread of `cache` decodes a block, and does not come to an end before something is sent or the sender is gone.
fn hold_up(cache: &Arc<BlockCache>) -> (BlockSource, Sender<()>) {
    let ((began, begins), (opens, open)) = (mpsc::channel(), mpsc::channel::<()>());
    let (began, open) = (Mutex::new(began), Mutex::new(open));
    let hanging = source(cache, move |_, _| {
        began.lock().unwrap().send(()).unwrap();
        let _ = open.lock().unwrap().recv();
        Ok(())
    });
    hanging.read_ahead(0..u64::from(BLOCK));
    begins.recv_timeout(PATIENCE).expect("a thread decodes ahead");
    (hanging, opens)
}

fn fill(_: &Block, out: &mut [u8]) -> io::Result<()> {
    out.fill(7);
    Ok(())
}

/// Reads a group in a thread of its own.
fn read_group(source: &Arc<BlockSource>) -> Receiver<bool> {
    let (done, is_done) = mpsc::channel();
    let source = Arc::clone(source);
    thread::spawn(move || {
        let mut buf = vec![0; GROUP as usize];
        source.read_exact_at(&mut buf, GROUP).unwrap();
        done.send(buf.iter().all(|byte| *byte == 7)).unwrap();
    });
    is_done
}

#[test]
fn a_reader_does_not_wait_for_threads_that_anothers_storage_holds_up() {
    let cache = BlockCache::with_workers(64 << 20, 1);
    let (_hanging, _opens) = hold_up(&cache);
    let healthy = Arc::new(source(&cache, fill));
    // All blocks of the group wait for the thread; and one alone, of the next.
    healthy.read_ahead(GROUP..2 * GROUP + u64::from(BLOCK));
    assert!(read_group(&healthy).recv_timeout(PATIENCE).expect("the group is read"));
    let mut buf = [0; 10];
    healthy.read_exact_at(&mut buf, 2 * GROUP).unwrap();
    assert_eq!(buf, [7; 10]);
}

#[test]
fn a_thread_does_not_wait_for_itself_where_an_image_lies_in_another() {
    let cache = BlockCache::with_workers(64 << 20, 1);
    let (_hanging, opens) = hold_up(&cache);
    let inner = Arc::new(source(&cache, fill));
    let (done, is_done) = mpsc::channel();
    let outer = {
        let (inner, done) = (Arc::clone(&inner), Mutex::new(done));
        source(&cache, move |_, out| {
            let mut group = vec![0; GROUP as usize];
            inner.read_exact_at(&mut group, GROUP)?;
            out.copy_from_slice(&group[..out.len()]);
            done.lock().unwrap().send(group).unwrap();
            Ok(())
        })
    };
    // The thread's next job reads a group of which blocks are jobs behind it.
    outer.read_ahead(0..u64::from(BLOCK));
    inner.read_ahead(GROUP + u64::from(BLOCK)..GROUP + 3 * u64::from(BLOCK));
    opens.send(()).unwrap();
    assert_eq!(is_done.recv_timeout(PATIENCE).expect("the block is decoded"), [7; GROUP as usize]);
}

#[test]
fn a_damaged_block_does_not_keep_others_back_of_a_group_that_was_to_be_decoded_ahead() {
    let cache = BlockCache::with_workers(64 << 20, 1);
    let (_hanging, _opens) = hold_up(&cache);
    let damaged = 3 * GROUP / u64::from(BLOCK);
    let source = source(&cache, move |block, out| match block.index {
        index if index == damaged => Err(io::ErrorKind::InvalidData.into()),
        _ => fill(block, out),
    });
    // In order, so that later groups wait for the thread.
    source.read_exact_at(&mut [0; 2 * GROUP as usize], 0).unwrap();
    let mut buf = [0; 10];
    source.read_exact_at(&mut buf, (damaged + 1) * u64::from(BLOCK)).unwrap();
    assert_eq!(buf, [7; 10]);
    assert_eq!(source.read_exact_at(&mut buf, 3 * GROUP).unwrap_err().kind(), io::ErrorKind::InvalidData);
}
