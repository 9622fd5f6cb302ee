# sh tests/pages.sh PROGRAM SOURCE: the pages of compare and explain in headless Chromium: no errors, every picture
# loads, nothing is wider than a phone's screen, and the slider stops clips at any frame. Without Chromium: skipped.
program=$(realpath "$1")
source=$(realpath "$2")
chromium=$(command -v chromium || command -v chromium-browser) || { echo "skipped: there is no chromium"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

still=$source/golden/frozen/demo/contact.png
small="-m $source/golden/diffusers/models/tiny-ti2v --size 32x32 --steps 2 --frames 5 -q"
"$program" compare $small -i "$still" -p 'a <b>fox</b>' --motion 'it turns' -n 2 --color-match -o compared || exit 1
"$program" explain $small -i "$still" -p 'it turns slowly' --ablate all -o explained || exit 1
cp "$source/golden/frozen/demo/contact.png" moment.png
cat >check.html <<'END'
<script>
addEventListener('load',async()=>{
  // Chromium's virtual time runs ahead of the decoding of clips, but stands still while a picture loads.
  let loads=0;
  const moment=()=>new Promise(done=>{const i=new Image();i.onload=i.onerror=done;i.src='moment.png?'+loads++});
  const until=async met=>{for(let i=0;i<2000&&!met();i++)await moment()},all=name=>[...document.querySelectorAll(name)];
  const lost=all('img').filter(image=>!image.naturalWidth).length;
  const wide=all('main *').filter(part=>part.getBoundingClientRect().right>innerWidth+1&&!part.closest('table')).length;
  let stopped=0,differ=0,played=0;
  for(const box of all('.scrub')){
    const [button,slider]=box.children;
    button.click();
    await until(()=>!slider.hidden);
    const group=box.previousElementSibling,canvas=group.querySelector('canvas');
    if(!canvas)continue;
    if(!slider.hidden&&!canvas.hidden&&document.activeElement===slider)stopped++;
    const first=canvas.toDataURL();
    slider.value=slider.max;
    slider.dispatchEvent(new Event('input'));
    await until(()=>canvas.toDataURL()!==first);
    if(canvas.toDataURL()!==first&&box.textContent.includes('frame 4 of 4'))differ++;
    button.click();
    if(canvas.hidden&&slider.hidden)played++;
  }
  document.title=`lost ${lost}, wide ${wide}, sliders ${all('.scrub').length}, stopped ${stopped}, differ ${differ}, `+
    `played ${played}`;
});
</script>
END

failures=0
# check PAGE SLIDERS
check() {
    cat "$1" check.html >checked.html
    echo "<style>body{margin:0}</style><iframe src=checked.html style='border:0;width:390px;height:4000px'></iframe>
        <script>setInterval(()=>document.title=frames[0].document.title,100)</script>" >phone.html
    for scheme in 0 1; do
        timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" \
            --allow-file-access-from-files --blink-settings=preferredColorScheme=$scheme --window-size=500,4000 \
            --enable-logging=stderr --virtual-time-budget=30000 --dump-dom "file://$work/phone.html" >dom 2>log
        if ! grep -q "<title>lost 0, wide 0, sliders $2, stopped $2, differ $2, played $2</title>" dom; then
            echo "$1: $(grep -o '<title>.*</title>' dom)"
            failures=$((failures + 1))
        fi
        if grep 'CONSOLE' log; then
            echo "$1: the console is not empty"
            failures=$((failures + 1))
        fi
    done
}
check compared/report.html 2
check explained/explain.html 3
[ $failures -eq 0 ] || exit 1
echo "the pages are well in $("$chromium" --version 2>/dev/null)"
