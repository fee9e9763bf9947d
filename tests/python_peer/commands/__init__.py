"""What the peer can be told. A command's name and arguments are those of a function; README.md describes them."""

from commands import certificates
from commands import dumps
from commands import peer
from commands import rows
from commands import syncing

COMMANDS = {
    function.__name__: function
    for module in (certificates, dumps, peer, rows, syncing)
    for function in module.COMMANDS
}
