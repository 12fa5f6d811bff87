//! virtio-scsi: wire structures, and descriptor chains to data buffers.
