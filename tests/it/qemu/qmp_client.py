"""Drives a control socket with QEMU's own client: qmp_client.py SOCKET IMAGE. Prints what it saw, one JSON value a line."""
import asyncio
import json
import sys

from qemu.qmp import ExecuteError, QMPClient


async def main(socket, image):
    def show(value):
        print(json.dumps(value))

    client = QMPClient("test")
    other = QMPClient("other")
    await client.connect(socket)
    await other.connect(socket)
    show(client.greeting.QMP.version["qemu"])
    show(sorted(command["name"] for command in await client.execute("query-commands")))
    with client.listener() as events:
        await client.execute("blockdev-change-medium", {"id": "cd0", "filename": image})
        show([(event["event"], event["data"].get("tray-open")) for event in [await events.get() for _ in range(3)]])
        device, = await other.execute("query-block")
        show([device["inserted"]["file"], device["tray_open"], device["locked"]])

        # A descriptor, as libvirt passes it.
        with open(image, "rb") as file:
            client.send_fd_scm(file.fileno())
            added = await client.execute("add-fd", {"opaque": "from python"})
        await client.execute("blockdev-change-medium", {"id": "cd0", "filename": f"/dev/fdset/{added['fdset-id']}"})
        show(await client.execute("query-fdsets"))
        await client.execute("remove-fd", {"fdset-id": added["fdset-id"]})

        await client.execute("blockdev-open-tray", {"id": "cd0"})
        await client.execute("blockdev-remove-medium", {"id": "cd0"})
        await client.execute("blockdev-close-tray", {"id": "cd0"})
        await client.execute("eject", {"device": "cd0"})
    for command, arguments in [("no-such", {}), ("eject", {"device": "cd9"}), ("eject", {}), ("eject", {"x": 1})]:
        try:
            await client.execute(command, arguments)
            show("no error")
        except ExecuteError as error:
            show([error.error.error.class_, error.error.error.desc])
    show(len(await client.execute("query-qmp-schema")) > 0)
    await other.disconnect()
    await client.execute("quit")
    try:
        await client.disconnect()
    except EOFError:
        pass  # The daemon was faster.


asyncio.run(main(*sys.argv[1:]))
