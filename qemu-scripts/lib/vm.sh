# Virtual machines with a Spindle drive, for the scripts; sourced after common.sh.

qemu=${SPINDLE_QEMU:-qemu-system-x86_64}
spindled=${SPINDLED:-$target/debug/spindled}

# start_daemon FOLDER ARGUMENT...: a spindled with its sockets (`drive`, `control`) and log in FOLDER; sets `daemon`, its
# process id. Comes back when the drive's socket is there.
start_daemon() {
    local folder=$1 waited=0
    shift
    "$spindled" --socket-path "$folder/drive" --control "$folder/control" "$@" \
        >>"$folder/spindled.log" 2>&1 </dev/null &
    daemon=$!
    until [ -S "$folder/drive" ]; do
        kill -0 "$daemon" 2>/dev/null || die "spindled does not start: $(cat "$folder/spindled.log")"
        [ $((waited += 1)) -le 300 ] || die "spindled made no socket in 30 s: $(cat "$folder/spindled.log")"
        sleep 0.1
    done
}

# defects FOLDER: what the daemon there has said of a defect of its own; fails if it has met none. A panic ends a connection at most.
defects() {
    grep -e panicked -e 'a defect of spindled' "$1/spindled.log"
}

# drive_arguments FOLDER MEMORY BOOTINDEX: sets `drive_arguments`, QEMU's for the drive in FOLDER and memory that it shares.
drive_arguments() {
    drive_arguments=(-m "$2" -object "memory-backend-memfd,id=memory,size=$2,share=on" -machine memory-backend=memory
        -chardev "socket,id=cd,path=$1/drive" -device "vhost-user-scsi-pci,chardev=cd,bootindex=$3")
}

# uefi_arguments FOLDER: sets `uefi_arguments`, QEMU's for OVMF with variables of its own in FOLDER.
uefi_arguments() {
    cp /usr/share/OVMF/OVMF_VARS_4M.fd "$1/variables.fd"
    uefi_arguments=(-drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
        -drive "if=pflash,format=raw,unit=1,file=$1/variables.fd")
}

# qemu_version: the chosen QEMU's, as it says it.
qemu_version() {
    "$qemu" --version | sed -n '1s/.*version \([^ ]*\).*/\1/p'
}

# milliseconds: the time, to measure with.
milliseconds() {
    echo $((${EPOCHREALTIME//[!0-9]/} / 1000))
}
