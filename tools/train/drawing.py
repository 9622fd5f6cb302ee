"""What both kinds of scene draw with: colours as (r, g, b) of 0..255, coordinates in the unit square, y down."""

import skia


def mix(a, b, t):
    return tuple(a[i] + (b[i] - a[i]) * t for i in range(3))


def col(c, a=255):
    return skia.Color(int(max(0, min(255, c[0]))), int(max(0, min(255, c[1]))), int(max(0, min(255, c[2]))), int(a))


def ease(t):
    return t * t * (3 - 2 * t)


def P(color, a=255, blur=0, stroke=0):
    p = skia.Paint(AntiAlias=True, Color=col(color, a))
    if stroke:
        p.setStyle(skia.Paint.kStroke_Style)
        p.setStrokeWidth(stroke)
        p.setStrokeCap(skia.Paint.kRound_Cap)
    if blur:
        p.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return p


def grad(c, rect, c0, c1, pts=None):
    pts = pts or [(rect[0], rect[1]), (rect[0], rect[3])]
    p = skia.Paint(
        AntiAlias=True, Shader=skia.GradientShader.MakeLinear([skia.Point(*q) for q in pts], [col(c0), col(c1)])
    )
    c.drawRect(skia.Rect.MakeLTRB(*rect), p)


def path(pts, close=True):
    p = skia.Path()
    n = len(pts)
    if not close:
        p.moveTo(*pts[0])
        for i in range(1, n - 1):
            mx, my = (pts[i][0] + pts[i + 1][0]) / 2, (pts[i][1] + pts[i + 1][1]) / 2
            p.quadTo(*pts[i], mx, my)
        p.lineTo(*pts[-1])
        return p

    def mid(i):
        return ((pts[i][0] + pts[(i + 1) % n][0]) / 2, (pts[i][1] + pts[(i + 1) % n][1]) / 2)

    p.moveTo(*mid(n - 1))
    for i in range(n):
        p.quadTo(*pts[i], *mid(i))
    p.close()
    return p
