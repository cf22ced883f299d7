// A click on a frame of a flame graph makes that frame as wide as the picture; a click beside the frames shows all.
document.addEventListener('click', event => {
  const all = event.target.closest('.flame')?.querySelector('.all');
  if (!all) return;
  const frame = event.target.closest('.frame');
  const [x, width] = frame ? ['x', 'width'].map(name => parseFloat(frame.getAttribute(name))) : [0, 100];
  all.setAttribute('width', 10000 / width + '%');
  all.setAttribute('x', -100 * x / width + '%');
});
