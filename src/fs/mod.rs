//! Reading file systems on a disc: ISO 9660, Joliet, Rock Ridge, UDF, El Torito. Read only and bounded.
