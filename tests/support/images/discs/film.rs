//! Films of a few pictures in packs of a sector each, as far as the programs that author discs look into them.

/// For a Video CD (ISO 11172-1).
pub fn film() -> Vec<u8> {
    const PACK: usize = 2324;
    let sequence = [0, 0, 1, 0xB3, 0x16, 1, 0x20, 0xC3, 2, 0xCE, 0xE0, 0xA4, 0, 0, 1, 0xB8, 0, 8, 0, 0x40];
    let picture = [&[0, 0, 1, 0, 0, 0xF, 0xFF, 0xF8, 0, 0, 1, 1][..], &[0x22; 30]].concat();
    let mut film = Vec::new();
    for number in 0..160_u32 {
        film.extend([&[0, 0, 1, 0xBA][..], &time(0x20, 1200 * number), &[0x80, 0x1B, 0x91]].concat());
        if number == 0 {
            film.extend(packet(0xBB, &[0x80, 0x1B, 0x91, 0, 0x61, 0xFF, 0xE0, 0xE0, 0x2E]));
        }
        let start = if number % 10 == 0 { &sequence[..] } else { &[] };
        film.extend(packet(0xE0, &[&time(0x20, 3600 * number + 10_000)[..], start, &picture].concat()));
        let rest = PACK - film.len() % PACK - 6;
        film.extend(packet(0xBE, &vec![0xFF; rest]));
    }
    film
}

/// For a DVD (ISO 13818-1): units of a navigation pack, whose content the author fills in, and twelve pictures, 25 of which
/// are a second.
pub fn dvd_film(units: u32) -> Vec<u8> {
    const PACK: usize = 2048;
    const PICTURES: u32 = 12;
    /// 90 kHz.
    const PICTURE: u32 = 3600;
    // 720 x 576, 4:3.
    let sequence = [0, 0, 1, 0xB3, 0x2D, 2, 0x40, 0x23, 0xFF, 0xFF, 0xE0, 0, 0, 0, 1, 0xB5, 0x14, 0x82, 0, 1, 0, 0];
    let group = [0, 0, 1, 0xB8, 0, 8, 0, 0x40];
    let picture = [&[0, 0, 1, 0, 0, 0xF, 0xFF, 0xF8, 0, 0, 1, 0xB5, 0x8F, 0xFF, 0xF3, 0x41, 0x80][..], &[0, 0, 1, 1]];
    let picture = [&picture.concat()[..], &[0x22; 40]].concat();
    let system = [0x80, 0xC4, 0xE1, 4, 0xE1, 0x7F, 0xB9, 0xE0, 0xE8, 0xB8, 0xC0, 0x20, 0xBD, 0xE0, 0x3A, 0xBF, 0xE0, 2];
    let mut film = Vec::new();
    for unit in 0..units {
        let begin = unit * PICTURES * PICTURE;
        film.extend(pack_header(begin));
        film.extend(packet(0xBB, &system));
        film.extend(packet(0xBF, &[0; 980]));
        film.extend(packet(0xBF, &[&[1][..], &[0; 1017]].concat()));
        for number in 0..PICTURES {
            film.extend(pack_header(begin + number * PICTURE + 300));
            let start = if number == 0 { [&sequence[..], &group].concat() } else { Vec::new() };
            let stamp = time(0x20, begin + (number + 3) * PICTURE);
            film.extend(packet(0xE0, &[&[0x81, 0x80, 5][..], &stamp, &start, &picture].concat()));
            let rest = PACK - film.len() % PACK - 6;
            film.extend(packet(0xBE, &vec![0xFF; rest]));
        }
    }
    film
}

/// With the clock at `at` (90 kHz) and 10.08 Mbit/s.
fn pack_header(at: u32) -> Vec<u8> {
    let [high, middle, low] = [at >> 30 & 7, at >> 15 & 0x7FFF, at & 0x7FFF].map(u64::from);
    let clock = 1 << 46 | high << 43 | 1 << 42 | middle << 27 | 1 << 26 | low << 11 | 1 << 10 | 1;
    [&[0, 0, 1, 0xBA][..], &clock.to_be_bytes()[2..], &[1, 0x89, 0xC3, 0xF8]].concat()
}

/// A time stamp of five bytes.
fn time(mark: u8, at: u32) -> Vec<u8> {
    let [high, low] = [at >> 15, at & 0x7FFF].map(|bits| (bits as u16) << 1 | 1);
    [&[mark | 1][..], &high.to_be_bytes(), &low.to_be_bytes()].concat()
}

fn packet(id: u8, content: &[u8]) -> Vec<u8> {
    [&[0, 0, 1, id][..], &(content.len() as u16).to_be_bytes(), content].concat()
}
