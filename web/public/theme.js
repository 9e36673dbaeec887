// Before the first paint: the chosen theme, so that the other one never flashes. Not inlined: the page allows no inline code.
try {
  const kept = localStorage.getItem('castiel.theme');
  if (kept === 'dark' || kept === 'light') document.documentElement.dataset.theme = kept;
} catch {
  // Without storage the page follows the system.
}
