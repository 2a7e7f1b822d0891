// adproxy: hides the slots from readers who see no ads, before anything of them is painted. DOM calls only.
(() => {
  const wanted = document.currentScript.getAttribute("data-adproxy-cookie");
  const has = (cookie) => (wanted.includes("=") ? cookie === wanted : cookie.startsWith(wanted + "=") && cookie.length > wanted.length + 1);
  if (document.cookie.split("; ").some(has)) document.documentElement.setAttribute("data-adproxy-off", "");
})();
