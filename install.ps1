# Installs odd for one user on Windows x64, upgrades it and removes it, with Windows PowerShell 5.1 or PowerShell 7:
#
#     irm ADDRESS/install.ps1 | iex
#     & ([scriptblock]::Create((irm ADDRESS/install.ps1))) -Version 1.2.3
#     .\install.ps1 [-Version VERSION] [-Prefix DIRECTORY] [-NoPath]
#     .\install.ps1 -Uninstall [-Prefix DIRECTORY]
#
# -Version    this one, such as 1.2.3, or latest (default)
# -Prefix     where to install: the binary goes to its folder bin (default: %LOCALAPPDATA%\Programs\odd)
# -NoPath     leave the user's PATH as it is
# -Uninstall  remove what was installed there, and nothing else; the data of instances is kept
#
# ODD_INSTALL_BASE_URL names a mirror of the releases, laid out as theirs: BASE/latest/download/VERSION, which names the latest, and
# BASE/download/vVERSION/ with the archives and SHA256SUMS.
#
# Exit codes, where it runs as a file: 0 done, 1 failed (a download, no space), 2 wrong usage, 3 something needed is missing (the platform,
# a permission), 6 what was downloaded is not what was released. After all but 0 the version that was there is untouched.
#
# It follows install.sh step by step. It is plain ASCII, since PowerShell 5.1 takes it for ANSI.
param(
    [string] $Version = 'latest',
    [string] $Prefix = '',
    [switch] $NoPath,
    [switch] $Uninstall
)

# In a function, so that preferences of the shell stay as they are where it is run by iex.
function Invoke-OddInstaller {
    param([string] $Version, [string] $Prefix, [bool] $NoPath, [bool] $Uninstall)

    $ErrorActionPreference = 'Stop'
    # Its bar makes downloads many times slower in PowerShell 5.1.
    $ProgressPreference = 'SilentlyContinue'
    $releases = 'https://github.com/oddessentials/distributed-task-observatory/releases'
    $another = "another version: -Version VERSION; they are listed at $releases"
    $source = "building it from source: $releases"

    function Stop-Install([int] $Code, [string] $What, [string] $Because, [string] $Try) {
        $failure = New-Object System.Exception $What
        $failure.Data['code'] = $Code
        $failure.Data['because'] = $Because
        $failure.Data['try'] = $Try
        throw $failure
    }

    # An error of Windows as one of ours.
    function Stop-At([string] $What, [string] $Where, $Problem) {
        if ($null -ne $Problem.Exception.Data['code']) { throw $Problem.Exception }
        for ($cause = $Problem.Exception; $null -ne $cause; $cause = $cause.InnerException) {
            # ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL
            if (($cause.HResult -eq -2147024784) -or ($cause.HResult -eq -2147024857)) {
                Stop-Install 1 $What "there is no room in $Where" 'making room there'
            }
            if ($cause -is [System.UnauthorizedAccessException]) {
                Stop-Install 3 $What "you may not write to $Where" 'a place of your own: -Prefix DIRECTORY'
            }
        }
        Stop-Install 1 $What $Problem.Exception.Message 'this again'
    }

    function Test-Version([string] $Text) {
        return $Text -match '^[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*$'
    }

    function Get-Platform {
        $machine = $env:PROCESSOR_ARCHITEW6432
        if (-not $machine) { $machine = $env:PROCESSOR_ARCHITECTURE }
        if ($env:OS -ne 'Windows_NT') {
            Stop-Install 3 'install.ps1 installs on Windows only' 'this is another system' 'install.sh'
        }
        # Windows 11 on ARM runs programs for x64.
        if (($machine -ne 'AMD64') -and ($machine -ne 'ARM64')) {
            Stop-Install 3 'there is no odd for this machine' "its processor is $machine, and odd is built for x64" $source
        }
        return 'windows-x64'
    }

    function Get-File([string] $Address, [string] $File, [string] $What) {
        $limits = @{ TimeoutSec = 600 }
        # PowerShell 7.4 and later count the time of the answer's head only, and of each read where this is set.
        if ((Get-Command Invoke-WebRequest).Parameters.ContainsKey('OperationTimeoutSeconds')) {
            $limits['OperationTimeoutSeconds'] = 30
        }
        try {
            Invoke-WebRequest -Uri $Address -OutFile $File -UseBasicParsing @limits
        } catch {
            $response = $_.Exception.PSObject.Properties['Response']
            if (($null -ne $response) -and ($null -ne $response.Value) -and ([int] $response.Value.StatusCode -eq 404)) {
                Stop-Install 1 "$What could not be downloaded" "$Address is not there (404)" $another
            }
            if ($_.Exception -is [System.IO.IOException]) { Stop-At "$What could not be downloaded" $work $_ }
            Stop-Install 1 "$What could not be downloaded" "${Address}: $($_.Exception.Message)" `
                'this again, once the network is there; or a mirror: ODD_INSTALL_BASE_URL'
        }
    }

    # Get-FileHash is not found by a PowerShell 5.1 that was started below PowerShell 7, whose modules it looks through then.
    function Get-Checksum([string] $File) {
        $sha256 = [System.Security.Cryptography.SHA256]::Create()
        $content = [System.IO.File]::OpenRead($File)
        try {
            return -join ($sha256.ComputeHash($content) | ForEach-Object { $_.ToString('x2') })
        } finally {
            $content.Dispose()
            $sha256.Dispose()
        }
    }

    function Assert-Checksum([string] $File, [string] $Name, [string] $Sums) {
        $expected = ''
        foreach ($line in (Get-Content -LiteralPath $Sums)) {
            $words = -split $line
            if (($words.Count -ge 2) -and ($words[1].TrimStart('*') -ceq $Name)) { $expected = $words[0] }
        }
        if (-not $expected) {
            Stop-Install 6 "odd $number cannot be verified" "SHA256SUMS does not name $Name" $another
        }
        $found = Get-Checksum $File
        if ($found -ine $expected) {
            Stop-Install 6 "$Name is not what was released" "its SHA-256 is $found, and SHA256SUMS says $expected" `
                "this again: a download may have been cut short; if it stays so, tell those who run $base"
        }
    }

    # The binary must run where it is put, and be the version that was asked for, whatever is set for odd here: in the environment, in its
    # home or in the folders above the current one. The folder of Windows has no such file, and unlike that of temporary files never a
    # shortened name, which Push-Location does not take.
    function Assert-Binary([string] $Binary) {
        $told = ''
        $ErrorActionPreference = 'Continue'
        $theirs = @(Get-ChildItem -Path Env: | Where-Object { $_.Name -like 'ODD_*' })
        Push-Location -LiteralPath $env:SystemRoot
        try {
            $theirs | ForEach-Object { [Environment]::SetEnvironmentVariable($_.Name, [NullString]::Value) }
            $env:ODD_HOME = $work
            $told = @(& $Binary version --output text)[0]
        } catch {
            Stop-Install 6 "odd $number does not run here" $_.Exception.Message $another
        } finally {
            [Environment]::SetEnvironmentVariable('ODD_HOME', [NullString]::Value)
            $theirs | ForEach-Object { [Environment]::SetEnvironmentVariable($_.Name, $_.Value) }
            Pop-Location
        }
        if ($LASTEXITCODE -ne 0) {
            Stop-Install 6 "odd $number does not run here" "its exit code is $LASTEXITCODE" $another
        }
        if ((-split "$told")[1] -cne $number) {
            Stop-Install 6 "the archive of odd $number is not what it says" "the binary in it says: $told" $another
        }
    }

    # Windows neither overwrites nor deletes a program that runs, but renames it. What was set aside goes with the next run.
    function Install-Binary([string] $From, [string] $To) {
        $aside = "$To.$PID.old"
        $had = Test-Path -LiteralPath $To
        if ($had) { [System.IO.File]::Move($To, $aside) }
        try {
            [System.IO.File]::Move($From, $To)
        } finally {
            # Also after Ctrl+C.
            if ($had -and -not (Test-Path -LiteralPath $To)) { [System.IO.File]::Move($aside, $To) }
        }
        Remove-Old $To
    }

    function Remove-Old([string] $Binary) {
        Get-ChildItem -LiteralPath (Split-Path -Parent $Binary) -Filter 'odd.exe.*.old' -ErrorAction SilentlyContinue |
            Remove-Item -Force -ErrorAction SilentlyContinue
    }

    # Unexpanded, as it stands in the registry: what is written back otherwise has lost its variables.
    function Get-UserPath {
        $key = Get-Item -Path 'HKCU:\Environment'
        return [string] $key.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    }

    function Set-UserPath([string] $Value) {
        if ($Value) {
            Set-ItemProperty -Path 'HKCU:\Environment' -Name 'Path' -Value $Value -Type ExpandString
        } else {
            Remove-ItemProperty -Path 'HKCU:\Environment' -Name 'Path' -ErrorAction SilentlyContinue
        }
        # Tells programs that run, such as the Explorer, that the environment has changed. $null would be handed over as an empty text,
        # which PowerShell 7.5 and later keep as a variable.
        [Environment]::SetEnvironmentVariable('ODD_INSTALL_NEWS', [NullString]::Value, 'User')
    }

    function Add-ToPath([string] $Folder) {
        if ((($env:Path -split ';') -icontains $Folder)) { return $false }
        $user = Get-UserPath
        $new = -not (($user -split ';') -icontains $Folder)
        if ($new) { Set-UserPath ((@($Folder) + @($user -split ';' | Where-Object { $_ })) -join ';') }
        $env:Path = "$Folder;$env:Path"
        return $new
    }

    function Remove-FromPath([string] $Folder) {
        Set-UserPath ((@((Get-UserPath) -split ';' | Where-Object { $_ -and ($_ -ine $Folder) })) -join ';')
    }

    # What others put there keeps them.
    function Remove-EmptyFolders {
        foreach ($folder in @($bin, $Prefix)) {
            if ((Test-Path -LiteralPath $folder) -and -not (Get-ChildItem -LiteralPath $folder -Force)) {
                Remove-Item -LiteralPath $folder -Force -ErrorAction SilentlyContinue
            }
        }
    }

    function Remove-Odd {
        if (-not (Test-Path -LiteralPath $manifest)) {
            Stop-Install 1 'there is nothing to remove' "$manifest is not there: install.ps1 has not installed to $Prefix" `
                '-Prefix DIRECTORY, if it is elsewhere'
        }
        $lines = @(Get-Content -LiteralPath $manifest)
        try {
            if (Test-Path -LiteralPath $binary) { Remove-Item -LiteralPath $binary -Force }
        } catch {
            $why = $_.Exception.Message
            # The same error tells of a program that runs, which can be renamed, and of a folder that may not be written to.
            try {
                [System.IO.File]::Move($binary, "$binary.$PID.old")
                [System.IO.File]::Move("$binary.$PID.old", $binary)
            } catch {
                Stop-Install 3 'odd could not be removed' "you may not write to ${bin}: $why" 'this as the user who installed it'
            }
            Stop-Install 1 'odd could not be removed' "$binary cannot be deleted: $why" 'odd down, then this again'
        }
        Remove-Old $binary
        if ($lines -contains 'path') { Remove-FromPath $bin }
        Remove-Item -LiteralPath $manifest -Force
        Remove-EmptyFolders
        Write-Host "  + $($lines[0]) is removed from $Prefix; the data of instances is kept"
    }

    $work = ''
    $staged = ''
    $stagedManifest = ''
    try {
        if ($Version -cmatch '^v[0-9]') { $Version = $Version.Substring(1) }
        if (($Version -ne 'latest') -and -not (Test-Version $Version)) {
            Stop-Install 2 'the arguments cannot be read' "$Version is no version" 'a version such as 1.2.3, or latest'
        }
        $platform = Get-Platform
        if (-not $Prefix) { $Prefix = Join-Path $env:LOCALAPPDATA 'Programs\odd' }
        $Prefix = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Prefix).TrimEnd('\')
        $bin = Join-Path $Prefix 'bin'
        $binary = Join-Path $bin 'odd.exe'
        $manifest = Join-Path $Prefix 'installed'
        if ($Uninstall) {
            Remove-Odd
            return 0
        }

        # PowerShell 5.1 does not speak it unless told to.
        [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
        $base = $releases
        if ($env:ODD_INSTALL_BASE_URL) { $base = $env:ODD_INSTALL_BASE_URL.TrimEnd('/') }
        $work = Join-Path ([System.IO.Path]::GetTempPath()) "odd-install-$([guid]::NewGuid())"
        [System.IO.Directory]::CreateDirectory($work) | Out-Null

        $number = $Version
        if ($Version -eq 'latest') {
            Get-File "$base/latest/download/VERSION" "$work\VERSION" 'the number of the latest version'
            $number = "$(Get-Content -LiteralPath "$work\VERSION" -TotalCount 1)".Trim()
            if (-not (Test-Version $number)) {
                Stop-Install 6 'the latest version is not known' "$base/latest/download/VERSION names none" 'a certain one: -Version VERSION'
            }
        }
        $name = "odd-$number-$platform.zip"
        Write-Host "  odd $number for $platform, from $base"
        Get-File "$base/download/v$number/SHA256SUMS" "$work\SHA256SUMS" "the checksums of odd $number"
        Get-File "$base/download/v$number/$name" "$work\$name" "odd $number for $platform"
        Assert-Checksum "$work\$name" $name "$work\SHA256SUMS"
        Write-Host '  + SHA-256 verified'
        try {
            # Expand-Archive, a module of its own, neither stops at an error nor keeps its bar away because this script says so.
            Add-Type -AssemblyName System.IO.Compression.FileSystem
            [System.IO.Compression.ZipFile]::ExtractToDirectory("$work\$name", $work)
        } catch {
            Stop-At "$name could not be unpacked" $work $_
        }
        $unpacked = "$work\odd-$number-$platform\odd.exe"
        if (-not (Test-Path -LiteralPath $unpacked)) {
            Stop-Install 6 "$name is not what was released" 'there is no odd.exe in it' $another
        }

        try {
            New-Item -ItemType Directory -Path $bin -Force | Out-Null
            $staged = Join-Path $bin ".odd-install.$PID.exe"
            Copy-Item -LiteralPath $unpacked -Destination $staged
            Assert-Binary $staged
            $lines = @()
            if (Test-Path -LiteralPath $manifest) { $lines = @(Get-Content -LiteralPath $manifest) }
            $onPath = ($lines -contains 'path')
            $entries = @("odd $number")
            if ($onPath) { $entries += 'path' }
            $stagedManifest = "$manifest.$PID.new"
            Set-Content -LiteralPath $stagedManifest -Value $entries -Encoding Ascii
            Install-Binary $staged $binary
            Move-Item -LiteralPath $stagedManifest -Destination $manifest -Force
        } catch {
            Stop-At "odd $number cannot be installed in $Prefix" $Prefix $_
        }
        # Where the registry may not be written, odd is installed all the same.
        try {
            if (-not $NoPath -and (Add-ToPath $bin)) { Add-Content -LiteralPath $manifest -Value 'path' -Encoding Ascii }
        } catch {
            Write-Host "  ! the user's PATH could not be changed: $($_.Exception.Message)"
        }
        if ($lines.Count -and ($lines[0] -ne "odd $number")) {
            Write-Host "  + odd $number is in $bin, where $($lines[0]) was; an instance that runs keeps that until odd down and odd up"
        } else {
            Write-Host "  + odd $number is in $bin"
        }
        if (($env:Path -split ';') -inotcontains $bin) { Write-Host "  ! $bin is not on your PATH" }
        Write-Host '  completions: add to $PROFILE  odd completions powershell | Out-String | Invoke-Expression'
        Write-Host '  next  odd up'
        return 0
    } catch {
        $failure = $_.Exception
        $code = 1
        if ($null -ne $failure.Data['code']) { $code = $failure.Data['code'] }
        [Console]::Error.WriteLine("error: $($failure.Message)")
        if ($null -ne $failure.Data['code']) {
            [Console]::Error.WriteLine("  because: $($failure.Data['because'])")
            [Console]::Error.WriteLine("  try: $($failure.Data['try'])")
        }
        return $code
    } finally {
        # Also after Ctrl+C.
        foreach ($file in @($staged, $stagedManifest)) {
            if ($file -and (Test-Path -LiteralPath $file)) { Remove-Item -LiteralPath $file -Force -ErrorAction SilentlyContinue }
        }
        if ($staged) { Remove-EmptyFolders }
        # Remove-Item does not take a shortened name.
        try {
            if ($work -and [System.IO.Directory]::Exists($work)) { [System.IO.Directory]::Delete($work, $true) }
        } catch {
            Write-Host "  ! $work could not be removed: $($_.Exception.Message)"
        }
    }
}

$oddInstallerCode = Invoke-OddInstaller -Version $Version -Prefix $Prefix -NoPath $NoPath -Uninstall $Uninstall
# Run by iex, `exit` would close the window.
if ($PSCommandPath -and ((Split-Path -Leaf $PSCommandPath) -eq 'install.ps1')) { exit $oddInstallerCode }
if ($oddInstallerCode -ne 0) { throw "odd was not installed (exit code $oddInstallerCode)" }
