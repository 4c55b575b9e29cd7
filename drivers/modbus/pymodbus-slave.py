"""A Modbus slave by pymodbus, as an independent peer: `tcp` prints its port, `serial <path>` prints "serving".

Unit 1 is a relay board with eight inputs (closed limit on) and a station at registers 500 to 504; unit 2 is not there.
"""

import asyncio
import sys

from pymodbus.datastore import (
    ModbusSequentialDataBlock,
    ModbusServerContext,
    ModbusSlaveContext,
    ModbusSparseDataBlock,
)
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer

unit = ModbusSlaveContext(
    di=ModbusSequentialDataBlock(0, [0, 1, 0, 0, 0, 0, 0, 0]),
    co=ModbusSequentialDataBlock(0, [0] * 8),
    hr=ModbusSparseDataBlock({500: 658, 501: 0xFF9B, 502: 524, 503: 35, 504: 60, 600: 0x0000, 601: 0x41C9}),
    ir=ModbusSequentialDataBlock(0, [0] * 8),
    zero_mode=True,
)
context = ModbusServerContext(slaves={1: unit}, single=False)


async def serve() -> None:
    if sys.argv[1] == "tcp":
        server = ModbusTcpServer(context, address=("127.0.0.1", 0), ignore_missing_slaves=True)
        task = asyncio.create_task(server.serve_forever())
        await server.serving
        print(server.server.sockets[0].getsockname()[1], flush=True)
        await task
    else:
        server = ModbusSerialServer(context, port=sys.argv[2], baudrate=9600, ignore_missing_slaves=True)
        await server.start()
        print("serving", flush=True)
        await server.serve_forever()


asyncio.run(serve())
