// Runs before the first paint: nobody who chose the dark sees a flash of the light, and the name
// stands where the page that follows has it.
try {
  const choice = localStorage.getItem("gatehouse.theme");
  if (localStorage.getItem("gatehouse.session")) document.documentElement.dataset.known = "";
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
} catch {
  // Without storage the system's own choice holds.
}
