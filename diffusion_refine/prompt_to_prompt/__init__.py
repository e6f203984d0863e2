"""Prompt-to-prompt: an edit of a picture by an edit of its prompt, through the cross-attention maps of the source.

After Hertz et al., "Prompt-to-Prompt Image Editing with Cross-Attention Control", on the attention processors of
diffusers. `alignment` says which token of the source stands for which of the target, `controllers` lets the source's
maps into the target's branch, `local_blend` keeps the rest of the picture, `maps` keeps and shows what words attend
to.
"""
