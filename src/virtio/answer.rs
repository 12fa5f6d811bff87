//! Answers that a driver may not have seen: a command changes the drive, and the process ends before its chain is returned.
//!
//! After a restart the chain is still in the ring. Carried out again, TEST UNIT READY would find no unit attention, and the guest would
//! never learn of it. So the answer is kept together with the change, and given again to the same request at the same place.

use zerocopy::{FromZeros, IntoBytes};

use super::chain::Chain;
use super::request::Outcome;
use super::wire::{CommandRequest, CommandResponse};
use crate::source::Scatter;

const POSITION: usize = size_of::<u16>();
const HEAD: usize = POSITION + size_of::<CommandRequest>();
/// The longest answer that is kept. Longer ones are data, which a command gives again.
const MOST: usize = size_of::<CommandResponse>() + 64;

/// The answer to the request in `chain`, which stands at `position` of its ring and of which `written` bytes are the answer.
#[must_use]
pub fn remember(position: u16, chain: &Chain<'_>, written: u32) -> Option<Vec<u8>> {
    let len = usize::try_from(written).ok().filter(|&len| len <= MOST)?;
    let mut bytes = position.to_le_bytes().to_vec();
    bytes.extend_from_slice(request(chain)?.as_bytes());
    bytes.resize(HEAD + len, 0);
    let copied = Scatter::new(&chain.writable).copy_to(&mut bytes[HEAD..]);
    (copied == len).then_some(bytes)
}

/// Whether what was [remembered](remember) is the answer to this request at this place.
#[must_use]
pub fn fits(remembered: &[u8], position: u16, chain: &Chain<'_>) -> bool {
    answer(remembered, position, chain).is_some()
}

/// Gives the answer that was [remembered](remember), if it was for this request at this place.
#[must_use]
pub fn repeat(remembered: &[u8], position: u16, chain: &Chain<'_>) -> Option<Outcome> {
    let answer = answer(remembered, position, chain)?;
    Some(Outcome::of(Scatter::new(&chain.writable).copy_from(answer) as u32))
}

fn answer<'r>(remembered: &'r [u8], position: u16, chain: &Chain<'_>) -> Option<&'r [u8]> {
    let (head, answer) = remembered.split_at_checked(HEAD)?;
    let same = head[..POSITION] == position.to_le_bytes() && head[POSITION..] == *request(chain)?.as_bytes();
    let room = Scatter::new(&chain.writable);
    let fits = same && chain.fault.is_none() && room.len() >= answer.len() && answer.len() <= MOST;
    fits.then_some(answer)
}

fn request(chain: &Chain<'_>) -> Option<CommandRequest> {
    let mut request = CommandRequest::new_zeroed();
    let whole = Scatter::new(&chain.readable).copy_to(request.as_mut_bytes()) == size_of::<CommandRequest>();
    whole.then_some(request)
}
