// Runs before the first paint, so that nobody who chose the dark sees a flash of the light.
try {
  const choice = localStorage.getItem("gatehouse.theme");
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
} catch {
  // Without storage the system's own choice holds.
}
