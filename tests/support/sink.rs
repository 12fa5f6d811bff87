//! A sink that keeps what it hears.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use spindle::sound::{Sample, Sink};

#[derive(Default)]
struct Heard {
    samples: Vec<Sample>,
    /// How often it was told to rest, each time with so many samples.
    rests: Vec<usize>,
}

/// What was heard so far; a copy is the same ear.
#[derive(Clone, Default)]
pub struct Ear(Arc<(Mutex<Heard>, Condvar)>);

impl Ear {
    /// The sink of this ear.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    /// Waits until so many samples were heard; returns all.
    pub fn hears(&self, samples: usize) -> Vec<Sample> {
        let (heard, changed) = &*self.0;
        let heard = changed.wait_while(heard.lock().unwrap(), |heard| heard.samples.len() < samples).unwrap();
        heard.samples.clone()
    }

    /// Waits until it was told to rest so often; returns how much it had heard each time.
    pub fn rests(&self, times: usize) -> Vec<usize> {
        let (heard, changed) = &*self.0;
        let heard = changed.wait_while(heard.lock().unwrap(), |heard| heard.rests.len() < times).unwrap();
        heard.rests.clone()
    }
}

impl Sink for Ear {
    fn put(&mut self, samples: &[Sample]) -> io::Result<()> {
        self.0.0.lock().unwrap().samples.extend(samples);
        self.0.1.notify_all();
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        let mut heard = self.0.0.lock().unwrap();
        let samples = heard.samples.len();
        heard.rests.push(samples);
        self.0.1.notify_all();
        Ok(())
    }
}
