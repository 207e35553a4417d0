const BASH = `# tocsin completion for bash: add to ~/.bashrc
#   source <(tocsin completion bash)
_tocsin() {
  local IFS=$'\\n' words
  words=$(tocsin __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ $words == *:files ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  else
    COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  fi
}
complete -F _tocsin tocsin
`;

const ZSH = `#compdef tocsin
# tocsin completion for zsh: add to ~/.zshrc, after compinit
#   source <(tocsin completion zsh)
_tocsin() {
  local -a found
  found=("\${(@f)$(tocsin __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ \${found[-1]} == :files ]]; then
    _files
  else
    compadd -- \${found:#}
  fi
}
compdef _tocsin tocsin
`;

const FISH = `# tocsin completion for fish: save as ~/.config/fish/completions/tocsin.fish
function __tocsin_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  set -l found (tocsin __complete -- $words 2>/dev/null)
  if test "$found[-1]" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c tocsin -f -a '(__tocsin_complete)'
`;

/** Scripts by shell; each asks the command itself, so it never has to be written anew. */
export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
