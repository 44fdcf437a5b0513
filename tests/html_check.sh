#!/bin/sh
# Opens a report's page in headless Chromium: its title, its rows, sorting and filter, and that nothing of it is an error.
#   tests/html_check.sh [FILE] [ROWS]
# Without a file the stored page of tests/export.rs (24 rows). Exit 2 where there is no Chromium.
set -eu
here=$(dirname "$0")
page=${1:-$here/fixtures/export/report.html}
rows=${2:-24}
browser=
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then browser=$name && break; fi
done
if [ -z "$browser" ]; then
    echo "html_check: no Chromium here (apt-get install chromium)" >&2
    exit 2
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# What goes wrong before and in the page's own script is heard by one before it; another one behind it does what a reader does.
python3 - "$page" "$place/page.html" <<'PYTHON'
import sys
text = open(sys.argv[1], encoding="utf-8").read()
first = """<script>
window.addEventListener("error", (event) => document.documentElement.setAttribute("data-error", event.message));
</script>
"""
last = """<script>
(() => {
  const root = document.documentElement;
  const rows = () => Array.from(document.querySelectorAll("#rows tbody tr"));
  const values = (at) => rows().map((row) => Number(row.cells[at].textContent));
  const ordered = (list, sign) => list.every((value, at) => at === 0 || sign * (value - list[at - 1]) >= 0);
  const press = (at) => document.querySelectorAll("#rows thead button")[at].click();
  const told = [["worst first", ordered(values(1), 1)]];
  press(1);
  told.push(["best first", ordered(values(1), -1)]);
  press(0);
  told.push(["by line", ordered(values(0), 1)]);
  const field = document.querySelector("#tools input");
  field.value = "DUMPLING";
  field.dispatchEvent(new Event("input"));
  const shown = rows().filter((row) => !row.hidden).length;
  told.push(["filtered", shown > 0 && shown < rows().length]);
  const wide = root.scrollWidth <= root.clientWidth;
  told.push(["no wider than the window", wide]);
  const wrong = told.filter(([, right]) => !right).map(([what]) => what);
  root.setAttribute("data-check", wrong.length === 0 ? "good" : "not " + wrong.join(", not "));
})();
</script>
"""
text = text.replace("<head>", "<head>\n" + first, 1)
head, tail = text.rsplit("</body>", 1)
open(sys.argv[2], "w", encoding="utf-8").write(head + last + "</body>" + tail)
PYTHON
"$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$place/profile" --dump-dom "file://$place/page.html" \
    >"$place/dom.html" 2>"$place/log" || { cat "$place/log" >&2; exit 1; }
fail() {
    echo "html_check: $1" >&2
    exit 1
}
grep -q '<title>finetop: ' "$place/dom.html" || fail "the title is not the report's"
found=$(grep -o '<tr class="row"' "$place/dom.html" | wc -l)
[ "$found" -eq "$rows" ] || fail "$found rows, expected $rows"
grep -q 'data-error=' "$place/dom.html" && fail "$(grep -o 'data-error="[^"]*"' "$place/dom.html")"
if [ "$#" -eq 0 ]; then
    grep -q 'data-check="good"' "$place/dom.html" || fail "$(grep -o 'data-check="[^"]*"' "$place/dom.html" || echo 'the check did not run')"
fi
echo "html_check: $found rows, sorted and filtered, no error"
