//! What tasks wait for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a task waits for before it is carried out, on a unit that is slow on purpose or whose storage may not answer.
#[derive(Debug, Clone, Default)]
pub struct Delay {
    over: Arc<AtomicBool>,
    _taken_back: Option<Arc<TakeBack>>,
}

/// Called on any thread when a delay is over. Must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Called when nobody waits any more.
struct TakeBack(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for TakeBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakeBack")
    }
}

impl Drop for TakeBack {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Delay {
    /// The same, which has what will end it taken back when whoever waits lets go of it. `take_back` may be called on any thread, also
    /// after the end; it must not block.
    #[must_use]
    pub fn taken_back_by(self, take_back: impl Fn() + Send + Sync + 'static) -> Self {
        Self { _taken_back: Some(Arc::new(TakeBack(Box::new(take_back)))), ..self }
    }

    /// The task may be carried out.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether anybody else has it: who ends it when nobody waits for it any more ends it for nobody.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.over) > 1
    }

    /// Whether it may.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
