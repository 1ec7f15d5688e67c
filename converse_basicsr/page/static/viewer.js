// The picture: before and after with a border that moves, fitted or at 1:1.

const MOST_ENLARGED = 8;
const $ = (id) => document.getElementById(id);
const viewer = $("viewer"), scroll = $("scroll"), frame = $("frame"), divider = $("divider");
const before = $("before"), after = $("after");
let size = null; // of the picture in its pixels
let isFull = false;
let share = 0.5; // of the visible picture that shows it before

const hasResult = () => !after.hidden;

export function showBefore(address, width, height) {
  before.src = address;
  after.hidden = true;
  after.removeAttribute("src");
  viewer.hidden = false;
  viewer.classList.add("single");
  setSize(width, height);
  zoom(false);
}

export async function showAfter(address, width, height) {
  after.src = address;
  await after.decode();
  after.hidden = false;
  viewer.classList.remove("single");
  setSize(width, height);
  move(0.5);
}

export function hideAfter() {
  if (!hasResult()) return;
  after.hidden = true;
  viewer.classList.add("single");
  place();
}

function setSize(width, height) {
  size = { width, height };
  layOut();
}

function layOut() {
  if (!size || viewer.hidden) return;
  const fitting = Math.min(scroll.clientWidth / size.width, scroll.clientHeight / size.height, MOST_ENLARGED);
  const factor = isFull ? 1 / window.devicePixelRatio : fitting;
  frame.style.width = `${Math.max(1, Math.floor(size.width * factor))}px`;
  frame.style.height = `${Math.max(1, Math.floor(size.height * factor))}px`;
  place();
}

// The part of the picture that can be seen, in pixels of the viewer.
function visible() {
  const outer = scroll.getBoundingClientRect(), inner = frame.getBoundingClientRect();
  const left = Math.max(outer.left, inner.left), right = Math.min(outer.left + scroll.clientWidth, inner.right);
  const top = Math.max(outer.top, inner.top), bottom = Math.min(outer.top + scroll.clientHeight, inner.bottom);
  return { left, right, top, bottom, inner, outer };
}

function place() {
  if (!hasResult()) {
    before.style.clipPath = after.style.clipPath = "none";
    return;
  }
  const { left, right, top, bottom, inner, outer } = visible();
  const x = left + share * (right - left);
  before.style.clipPath = `inset(0 ${inner.right - x}px 0 0)`;
  after.style.clipPath = `inset(0 0 0 ${x - inner.left}px)`;
  divider.style.left = `${x - outer.left}px`;
  for (const each of [divider, $("tag-before"), $("tag-after")]) each.style.top = `${top - outer.top}px`;
  divider.style.height = `${bottom - top}px`;
  $("tag-before").style.left = `${left - outer.left}px`;
  $("tag-after").style.right = `${outer.right - right}px`;
  $("tag-before").classList.toggle("gone", x - left < 90);
  $("tag-after").classList.toggle("gone", right - x < 90);
}

function move(to) {
  share = Math.min(1, Math.max(0, to));
  const percent = Math.round(100 * share);
  divider.setAttribute("aria-valuenow", percent);
  divider.setAttribute("aria-valuetext", `${percent} % before, ${100 - percent} % after`);
  place();
}

function moveToPointer(event) {
  const { left, right } = visible();
  move((event.clientX - left) / Math.max(1, right - left));
}

// Zoom; the picture's point under (x, y), in the window, stays where it is.
export function zoom(toFull, x, y) {
  const old = frame.getBoundingClientRect(), outer = scroll.getBoundingClientRect();
  x ??= outer.left + outer.width / 2;
  y ??= outer.top + outer.height / 2;
  const across = (x - old.left) / old.width, down = (y - old.top) / old.height;
  isFull = toFull;
  viewer.classList.toggle("full", isFull);
  $("fit").setAttribute("aria-pressed", !isFull);
  $("full").setAttribute("aria-pressed", isFull);
  layOut();
  const now = frame.getBoundingClientRect();
  scroll.scrollLeft += now.left + across * now.width - x;
  scroll.scrollTop += now.top + down * now.height - y;
  place();
}

const STEPS = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 };

divider.addEventListener("keydown", (event) => {
  if (event.key in STEPS) move(share + STEPS[event.key] * (event.shiftKey ? 10 : 1));
  else if (event.key === "Home") move(0);
  else if (event.key === "End") move(1);
  else return;
  event.preventDefault();
});

function drag(target, onMove) {
  target.addEventListener("pointermove", onMove);
  const end = () => target.removeEventListener("pointermove", onMove);
  for (const name of ["pointerup", "pointercancel"]) target.addEventListener(name, end, { once: true });
}

divider.addEventListener("pointerdown", (event) => {
  divider.setPointerCapture(event.pointerId);
  drag(divider, moveToPointer);
});

scroll.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !frame.contains(event.target)) return;
  if (!isFull && hasResult()) {
    scroll.setPointerCapture(event.pointerId);
    moveToPointer(event);
    drag(scroll, moveToPointer);
  } else if (isFull && event.pointerType === "mouse") {
    scroll.setPointerCapture(event.pointerId);
    drag(scroll, (moved) => scroll.scrollBy(-moved.movementX, -moved.movementY));
  }
});

scroll.addEventListener("dblclick", (event) => zoom(!isFull, event.clientX, event.clientY));
scroll.addEventListener("scroll", place);
$("fit").addEventListener("click", () => zoom(false));
$("full").addEventListener("click", () => zoom(true));
new ResizeObserver(layOut).observe(scroll);
