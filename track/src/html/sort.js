// The heads of the columns become buttons that sort the table: numbers from the largest, texts from A.
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => sort(table, heads, column));
  });
}

function sort(table, heads, column) {
  const head = heads[column], isNumber = head.classList.contains('number');
  const first = isNumber ? 'descending' : 'ascending', other = isNumber ? 'ascending' : 'descending';
  const order = head.getAttribute('aria-sort') === first ? other : first;
  for (const other of heads) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', order);
  const sign = order === 'ascending' ? 1 : -1;
  const key = row => row.cells[column].textContent;
  const compare = isNumber
    ? (a, b) => (parseFloat(key(a)) || 0) - (parseFloat(key(b)) || 0)
    : (a, b) => key(a).localeCompare(key(b));
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
}
