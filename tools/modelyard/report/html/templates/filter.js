// Filters the rows of the first table by the words in the field; "/" moves to the field.
const field = document.querySelector('input[type=search]');
const rows = [...document.querySelector('main .table')?.querySelectorAll('tbody tr') ?? []];
field?.addEventListener('input', () => { const words = field.value.toLowerCase().split(/\s+/);
  for (const row of rows) row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word)); });
document.addEventListener('keydown', event => { if (event.key === '/' && document.activeElement !== field) {
  event.preventDefault(); field?.focus(); } if (event.key === 'Escape' && document.activeElement === field) {
  field.value = ''; field.dispatchEvent(new Event('input')); field.blur(); } });
