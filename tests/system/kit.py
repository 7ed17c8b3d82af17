"""The kit for authors of plugins: an installed Postern, and the blocks of the guide."""
import os
import re
import subprocess
from pathlib import Path

from postern import BUILD, PATIENCE


class Installed:
    """Postern as `make install` puts it under `place`; nothing of the source tree is seen from here."""

    def __init__(self, place):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        subprocess.run(["make", "-s", "-C", str(BUILD), "install", "DESTDIR=%s" % place], check=True, env=environment,
                       stdout=subprocess.DEVNULL)
        self.prefix = next(Path(place).rglob("plugin-api.h")).parents[1]
        self.bin, self.plugins = self.prefix / "sbin", self.prefix / "lib/postern"
        for file in (self.prefix / "lib/pkgconfig").glob("*.pc"):  # it lies elsewhere than it was configured for
            file.write_text(re.sub(r"(?m)^prefix=.*", "prefix=%s" % self.prefix, file.read_text()))
        self.environment = dict(environment, PKG_CONFIG_PATH=str(self.prefix / "lib/pkgconfig"),
                                PATH="%s:%s" % (self.bin, os.environ["PATH"]), CFLAGS="-g -O1 -Wall -Wextra -Wshadow "
                                "-Wstrict-prototypes -Wno-missing-field-initializers -Werror")

    def run(self, script, folder, code=0):
        """A shell script in a folder; all that it printed."""
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=4 * PATIENCE)
        output = done.stdout.decode(errors="replace")
        assert (done.returncode == 0) == (code == 0), "%s\nended with %d:\n%s" % (script, done.returncode, output)
        return output


def blocks(text):
    """Fenced blocks: (language, rest of the fence's line, what is in it)."""
    return [(match[1], match[2].strip(), match[3])
            for match in re.finditer(r"^```([a-z]+)([^\n]*)\n(.*?)^```$", text, re.M | re.S)]
