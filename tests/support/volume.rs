//! Small file systems, byte by byte: what no writer makes, and what no writer would.

/// An ISO 9660 image of 64 blocks. `records` make up the root directory in block 20, after `.` (with `root_use` as its system
/// use field) and `..`; `blocks` are put where they say.
pub fn iso(root_use: &[u8], records: &[Vec<u8>], blocks: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut image = vec![0; 64 * 2048];
    let mut primary = vec![0; 2048];
    primary[..7].copy_from_slice(b"\x01CD001\x01");
    primary[40..72].fill(b' ');
    primary[40..44].copy_from_slice(b"TEST");
    primary[80] = 64;
    primary[128..130].copy_from_slice(&2048_u16.to_le_bytes());
    let root = record(b"\0", 20, 2048, 2, b"");
    primary[156..156 + root.len()].copy_from_slice(&root);
    put(&mut image, 16, &primary);
    put(&mut image, 17, b"\xFFCD001\x01");
    put(&mut image, 20, &directory(20, root_use, records));
    for (block, bytes) in blocks {
        put(&mut image, *block, bytes);
    }
    image
}

/// The contents of a directory that lies in `block`.
pub fn directory(block: u32, own_use: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let dots = [record(b"\0", block, 2048, 2, own_use), record(b"\x01", block, 2048, 2, b"")];
    [dots.concat(), records.concat()].concat()
}

/// A directory record (ECMA-119, 9.1).
pub fn record(name: &[u8], block: u32, bytes: u32, flags: u8, system_use: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 33];
    record[2..6].copy_from_slice(&block.to_le_bytes());
    record[10..14].copy_from_slice(&bytes.to_le_bytes());
    record[18..25].copy_from_slice(&[126, 11, 23, 7, 31, 6, 0]);
    record[25] = flags;
    record[32] = name.len() as u8;
    record.extend(name);
    if name.len().is_multiple_of(2) {
        record.push(0);
    }
    record.extend(system_use);
    record.resize(record.len().next_multiple_of(2), 0);
    record[0] = record.len() as u8;
    record
}

/// A system use entry (SUSP).
pub fn entry(signature: &[u8; 2], data: &[u8]) -> Vec<u8> {
    [&signature[..], &[data.len() as u8 + 4, 1], data].concat()
}

/// SP and PX: what makes a root directory Rock Ridge's.
pub fn rock_ridge() -> Vec<u8> {
    [entry(b"SP", &[0xBE, 0xEF, 0]), px(0o040_755)].concat()
}

/// PX with a mode.
pub fn px(mode: u32) -> Vec<u8> {
    let mut data = vec![0; 32];
    data[..4].copy_from_slice(&mode.to_le_bytes());
    entry(b"PX", &data)
}

/// NM with a whole name.
pub fn nm(name: &[u8]) -> Vec<u8> {
    entry(b"NM", &[&[0], name].concat())
}

/// SL with an absolute target of one component.
pub fn sl(target: &[u8]) -> Vec<u8> {
    entry(b"SL", &[&[0, 8, 0, 0, target.len() as u8][..], target].concat())
}

/// CE.
pub fn ce(block: u32, offset: u32, bytes: u32) -> Vec<u8> {
    let field = |value: u32| [value.to_le_bytes(), value.to_be_bytes()].concat();
    entry(b"CE", &[field(block), field(offset), field(bytes)].concat())
}

/// How the descriptors of a UDF image are reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    Physical,
    /// The packet with the descriptors went bad and lies elsewhere.
    Sparable,
    Metadata,
    /// The metadata file cannot be read; its mirror can.
    Mirror,
}

/// A file of a UDF image.
pub struct UdfFile {
    pub name: &'static str,
    pub kind: u8,
    pub size: u64,
    /// The form of the allocation descriptors (0 short, 1 long, 2 extended, 3 the contents themselves).
    pub form: u8,
    pub allocation: Vec<u8>,
    /// The file's descriptor is the root's: a loop.
    pub is_root: bool,
    /// Its identifier says that it was deleted.
    pub deleted: bool,
}

/// The first blocks of the main and the reserve volume descriptor sequence, of 16 blocks each.
pub const MAIN: u32 = 32;
pub const RESERVE: u32 = 48;

/// The first block of the UDF partition.
pub const PARTITION: u32 = 260;

/// A UDF 2.50 image whose root directory holds `files`; `blocks` are put where they say, in blocks of the partition.
pub fn udf(layout: Layout, files: &[UdfFile], blocks: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut image = vec![0; 512 * 2048];
    for (block, id) in [(16, b"\0BEA01\x01"), (17, b"\0NSR03\x01"), (18, b"\0TEA01\x01")] {
        put(&mut image, block, id);
    }
    let mut anchor = vec![0; 512];
    for (at, block) in [(16, MAIN), (24, RESERVE)] {
        anchor[at..at + 4].copy_from_slice(&(16 * 2048_u32).to_le_bytes());
        anchor[at + 4] = block as u8;
    }
    put(&mut image, 256, &tagged(2, 256, anchor));
    for block in [MAIN, RESERVE] {
        sequence(&mut image, block, layout);
    }
    // Descriptors lie from here on, in blocks of the volume; `first` is the number of the first one in their partition.
    let metadata = matches!(layout, Layout::Metadata | Layout::Mirror);
    let (base, first) = match layout {
        Layout::Physical => (PARTITION + 32, 32),
        Layout::Sparable => (480, 32),
        Layout::Metadata | Layout::Mirror => (PARTITION + 32, 0),
    };
    let reference = u16::from(metadata);
    if metadata {
        let extent = [(30 * 2048_u32).to_le_bytes(), 32_u32.to_le_bytes()].concat();
        for (block, kind) in [(0, 250), (1, 251)] {
            let bytes = match layout {
                Layout::Mirror if kind == 250 => vec![0xAA; 2048],
                _ => file_entry(block, kind, 30 * 2048, 0, &extent),
            };
            put(&mut image, PARTITION + block, &bytes);
        }
    }
    if layout == Layout::Sparable {
        let mut table = vec![0; 64];
        table[16..36].copy_from_slice(b"\0*UDF Sparing Table\0");
        table[48] = 1;
        table[56..60].copy_from_slice(&32_u32.to_le_bytes());
        table[60..64].copy_from_slice(&480_u32.to_le_bytes());
        put(&mut image, 470, &tagged(0, 470, table));
    }
    let mut set = vec![0; 512];
    set[400..416].copy_from_slice(&long(2048, first + 1, reference));
    put(&mut image, base, &tagged(256, first, set));
    let mut identifiers = identifier(first + 2, "", 10, first + 1, reference);
    for (number, file) in (0..).zip(files) {
        let block = if file.is_root { first + 1 } else { first + 3 + number };
        let characteristics = u8::from(file.kind == 4) << 1 | u8::from(file.deleted) << 2;
        identifiers.extend(identifier(first + 2, file.name, characteristics, block, reference));
        let bytes = file_entry(first + 3 + number, file.kind, file.size, file.form, &file.allocation);
        put(&mut image, base + 3 + number, &bytes);
    }
    let extent = long(identifiers.len() as u32, first + 2, reference);
    put(&mut image, base + 1, &file_entry(first + 1, 4, identifiers.len() as u64, 1, &extent));
    put(&mut image, base + 2, &identifiers);
    for (block, bytes) in blocks {
        put(&mut image, PARTITION + block, bytes);
    }
    image
}

/// Puts a volume descriptor sequence at `block`: logical volume, partition, terminator.
pub fn sequence(image: &mut [u8], block: u32, layout: Layout) {
    let mut partition = vec![0; 512];
    partition[188..192].copy_from_slice(&PARTITION.to_le_bytes());
    partition[192..196].copy_from_slice(&200_u32.to_le_bytes());
    put(image, block, &tagged(6, block, logical_volume(layout)));
    put(image, block + 1, &tagged(5, block + 1, partition));
    put(image, block + 2, &tagged(8, block + 2, vec![0; 512]));
}

fn logical_volume(layout: Layout) -> Vec<u8> {
    let metadata = matches!(layout, Layout::Metadata | Layout::Mirror);
    let mut logical = vec![0; 440 + 6 + 64];
    logical[84..89].copy_from_slice(b"\x08TEST");
    logical[211] = 5;
    logical[212..216].copy_from_slice(&2048_u32.to_le_bytes());
    logical[240..242].copy_from_slice(&0x250_u16.to_le_bytes());
    logical[248..264].copy_from_slice(&long(2048, if metadata { 0 } else { 32 }, u16::from(metadata)));
    let mut second = vec![0; 64];
    second[..2].copy_from_slice(&[2, 64]);
    let maps = match layout {
        Layout::Physical => [vec![1, 6, 1, 0, 0, 0]].concat(),
        Layout::Sparable => {
            second[5..28].copy_from_slice(b"*UDF Sparable Partition");
            second[40] = 32;
            second[42] = 1;
            second[44] = 64;
            second[48..52].copy_from_slice(&470_u32.to_le_bytes());
            second
        }
        Layout::Metadata | Layout::Mirror => {
            second[5..28].copy_from_slice(b"*UDF Metadata Partition");
            second[44] = 1;
            [vec![1, 6, 1, 0, 0, 0], second].concat()
        }
    };
    logical[264] = maps.len() as u8;
    logical[268] = 1 + u8::from(metadata);
    logical[440..440 + maps.len()].copy_from_slice(&maps);
    logical
}

/// A file entry that says it lies in `block`.
pub fn file_entry(block: u32, kind: u8, size: u64, form: u8, allocation: &[u8]) -> Vec<u8> {
    let mut entry = vec![0; 176];
    entry[20] = 4;
    entry[27] = kind;
    entry[34] = form;
    entry[44..48].copy_from_slice(&0x7FFF_u32.to_le_bytes());
    entry[56..64].copy_from_slice(&size.to_le_bytes());
    entry[84..93].copy_from_slice(&[0, 0x10, 0xEA, 0x07, 11, 23, 7, 31, 6]);
    entry[172..176].copy_from_slice(&(allocation.len() as u32).to_le_bytes());
    entry.extend(allocation);
    tagged(261, block, entry)
}

/// An allocation extent descriptor.
pub fn allocation_extent(block: u32, allocation: &[u8]) -> Vec<u8> {
    let mut extent = vec![0; 24];
    extent[20..24].copy_from_slice(&(allocation.len() as u32).to_le_bytes());
    extent.extend(allocation);
    tagged(258, block, extent)
}

/// A long allocation descriptor.
pub fn long(length: u32, block: u32, partition: u16) -> [u8; 16] {
    let mut long = [0; 16];
    long[..4].copy_from_slice(&length.to_le_bytes());
    long[4..8].copy_from_slice(&block.to_le_bytes());
    long[8..10].copy_from_slice(&partition.to_le_bytes());
    long
}

/// A file identifier descriptor.
pub fn identifier(location: u32, name: &str, characteristics: u8, block: u32, partition: u16) -> Vec<u8> {
    let name = if name.is_empty() { Vec::new() } else { [&[8], name.as_bytes()].concat() };
    let mut identifier = vec![0; 38];
    identifier[18] = characteristics;
    identifier[19] = name.len() as u8;
    identifier[20..36].copy_from_slice(&long(2048, block, partition));
    identifier.extend(name);
    identifier.resize(identifier.len().next_multiple_of(4), 0);
    tagged(257, location, identifier)
}

/// Puts a tag (ECMA-167, 3/7.2) on a descriptor.
pub fn tagged(id: u16, location: u32, mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = bytes[16..].iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 })
    });
    bytes[..2].copy_from_slice(&id.to_le_bytes());
    bytes[2] = 3;
    bytes[8..10].copy_from_slice(&crc.to_le_bytes());
    let covered = bytes.len() as u16 - 16;
    bytes[10..12].copy_from_slice(&covered.to_le_bytes());
    bytes[12..16].copy_from_slice(&location.to_le_bytes());
    bytes[4] = bytes[..16].iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
    bytes
}

/// Puts bytes at a block.
pub fn put(image: &mut [u8], block: u32, bytes: &[u8]) {
    image[block as usize * 2048..][..bytes.len()].copy_from_slice(bytes);
}
